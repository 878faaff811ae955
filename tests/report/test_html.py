"""HTML: text is escaped, elements are not."""

from html.parser import HTMLParser

from vae_cli.report.html import Html, breakable, element, joined, table


def test_text_and_attributes_are_escaped() -> None:
    made = element("p", "<b>&", element("i", '"'), title='a"b')
    assert made == '<p title="a&quot;b">&lt;b&gt;&amp;<i>&quot;</i>\n</p>\n'


def test_controls_are_shown_as_escapes() -> None:
    assert "\\x1b" in element("p", "\x1b[2J")
    assert "\\u202e" in element("p", "\u202e")


def test_html_stays_html() -> None:
    assert joined(Html("<br>"), 3, "<") == "<br>3&lt;"


def test_cells_of_a_table_are_escaped_and_rows_have_heads() -> None:
    found: list[str] = []

    class Parser(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list) -> None:
            found.append(tag)

    Parser().feed(table(("a", "b"), [("<script>", "<img>")]))
    assert "script" not in found and "img" not in found
    assert found.count("th") == 3 and found.count("td") == 1


def test_names_of_jobs_break_between_their_options() -> None:
    assert breakable("latent_dim=2,beta=4") == "latent_dim=2,<wbr>beta=4"
    assert breakable("<b>_c") == "&lt;b&gt;_<wbr>c"


def test_cells_name_their_column_for_narrow_screens() -> None:
    made = table(("key", "value", "meaning"), [("beta", 4, "weight of the KL")])
    assert 'class="wide stacked"' in made
    assert '<td data-title="meaning">weight of the KL</td>' in made
    assert "stacked" not in table(("key", "value"), [("beta", 4)])
