from bff.docs_page import render

SPEC = {
    "info": {"title": "A <b>", "version": "1", "description": "one\n\ntwo <i>"},
    "paths": {
        "/x/{id}": {
            "parameters": [{"$ref": "#/components/parameters/id"}],
            "post": {
                "summary": "make",
                "requestBody": {"content": {"application/json": {"example": {"a": "<"}}}},
                "responses": {"200": {"description": "fine"}},
            },
            "get": {"responses": {}},
        },
        "/y": {"get": {"parameters": [{"name": "q", "in": "query", "description": "a query"}]}},
    },
    "components": {
        "parameters": {"id": {"name": "id", "in": "path", "example": "7"}},
        "schemas": {"X": {"type": "object"}},
    },
}


def test_the_page_shows_everything_and_runs_nothing_of_it():
    page = render(SPEC, script="let a = 1;", style="b {}")
    for part in ("A &lt;b&gt;", "<p>two &lt;i&gt;</p>", "POST", "fine", "a query", 'value="/x/7"'):
        assert part in page.html
    assert "&quot;a&quot;: &quot;&lt;&quot;" in page.html
    assert "<b>A" not in page.html


def test_only_the_pages_own_script_and_style_may_run():
    one = render(SPEC, script="let a = 1;", style="b {}").policy
    other = render(SPEC, script="let a = 2;", style="b {}").policy
    assert one != other
    assert "unsafe" not in one
    assert "default-src 'none'" in one


def test_an_empty_document_is_a_page_too():
    assert "<main></main>" in render({"info": SPEC["info"]}, script="", style="").html
