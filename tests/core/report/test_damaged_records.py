"""nstyle report: records, pictures and inputs that are damaged, missing or hostile."""

import hashlib
import json
import shutil
from pathlib import Path

import pytest
from PIL import Image

from core.errors import NeuralStyleError
from core.report.runs import find_runs
from tests.support.report_factory import Page, copied, make_results, report, run


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return make_results(tmp_path_factory.mktemp("made"))


@pytest.fixture
def here(made, tmp_path, monkeypatch):
    return copied(made, tmp_path / "here", monkeypatch)


def test_a_damaged_reference_does_not_cost_the_page(here):
    Path("ref/out.png").write_text("no picture")
    shown = report("results", "-o", "page", "--reference", "ref")
    assert shown.exit_code == 0
    assert "not a JPEG, PNG, PPM or PGM picture; convert it to PNG or JPEG first; left out" in shown.output
    assert "ref/out.png" in shown.output
    assert "ref/" not in Page("page/index.html").text


def test_old_records_have_the_total_only(here):
    path = Path("results/out.png.json")
    record = json.loads(path.read_text())
    del record["layer_losses"]
    path.write_text(json.dumps(record))
    report("results", "-o", "page")
    assert Page("page/index.html").source.count('class="key ') == 1 + 2 * (1 + 6)


def test_missing_inputs_are_placeholders(here):
    shutil.move("in", "elsewhere")
    shown = report("results", "-o", "page")
    assert (shown.exit_code, shown.output) == (0, "page/index.html: 4 runs\n")
    page = Page("page/index.html")
    missing = page.all("div", **{"class": "missing"})
    assert len(missing) == 8
    assert missing[0]["aria-label"].startswith("Content: photo.jpg, not found (sha256 ")
    Path("elsewhere/photo.jpg").rename("elsewhere/renamed.jpg")
    report("results", "-o", "page", "--inputs", "elsewhere")
    page = Page("page/index.html")
    assert not page.all("div", **{"class": "missing"})
    assert len(page.all("img", alt="Content: photo.jpg")) == 4


def test_an_input_that_is_no_picture_any_more(here):
    data = b"\x89PNG\r\n\x1a\nbroken"
    Path("in/photo.jpg").write_bytes(data)
    path = Path("results/out.png.json")
    record = json.loads(path.read_text())
    record["inputs"]["content_image"][0]["sha256"] = hashlib.sha256(data).hexdigest()
    path.write_text(json.dumps(record))
    report("results", "-o", "page")
    assert "cannot be read as a picture" in Page("page/index.html").by_id["run-4"]


HOSTILE = '<script>alert("1")&amp;\'.png'


def test_names_and_records_are_text(here):
    shutil.copy("results/out.png", f"results/{HOSTILE}")
    record = json.loads(Path("results/out.png.json").read_text())
    record["settings"]["content_image"] = "</style><img src=x onerror=alert(1)>"
    record["settings"]["content_layers"] = ["</svg><script>alert(2)</script>"]
    record["inputs"]["content_image"] = [{"file": '"><script>3</script>', "sha256": "<b>"}]
    record["environment"] = {"<i>": "</dd><script>4</script>"}
    record["arithmetic"] = "{{ 7 * 7 }}"
    Path(f"results/{HOSTILE}.json").write_text(json.dumps(record))
    shown = report("results", "-o", "page")
    assert shown.output == "page/index.html: 5 runs\n"
    page = Page("page/index.html")
    assert len(page.all("script")) == 1
    assert not page.all("img", src="x")
    assert page.by_id["run-1-title"] == HOSTILE
    for text in ("{{ 7 * 7 }}", "</dd><script>4</script>", "script>alert(2)</script>"):
        assert text in page.by_id["run-1"]


def test_bytes_in_a_name_that_are_no_text(here):
    name = b"results/\xff.png".decode(errors="surrogateescape")
    shutil.copy("results/out.png", name)
    assert report("results", "-o", "page").exit_code == 0
    assert Page("page/index.html").by_id["run-5-title"] == "?.png"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "results/out.png.json: damaged record: not valid JSON; skipped"),
        (
            '{"format": 1}',
            "results/out.png: its record is damaged: 'program' is missing or not a str",
        ),
        ('{"settings": {"sed": 1}}', "results/out.png: the record has a flag -sed that this version"),
        (
            '{"settings": {"style_image": [3]}}',
            "results/out.png: the record is damaged: -style_image is 3; skipped",
        ),
        ('{"program": "th"}', "results/out.png: its record is damaged: unknown program; skipped"),
        (
            '{"inputs": []}',
            "results/out.png: its record is damaged: 'inputs' is missing or not a dict; skipped",
        ),
        ('{"inputs": {"content_image": 3}}', "results/out.png: its record is damaged; skipped"),
        ('{"trace": 3}', "its record is damaged: evaluation or trace is not readable; skipped"),
        ('{"trace": ["x"]}', "results/out.png: its record is damaged; skipped"),
        ('{"layer_losses": [["x"]]}', None),  # other than the trace: the total is plotted
        ('{"evaluation": "3"}', "its record is damaged: evaluation or trace is not readable; skipped"),
        ('{"losses": 3}', "results/out.png: its record is damaged; skipped"),
        ('{"environment": 3}', "its record is damaged: 'environment' is missing or not a dict; skipped"),
        ('{"seconds": "x"}', "results/out.png: its record is damaged; skipped"),
    ],
)
def test_damaged_records_are_skipped(here, content, message):
    for number in (1, 2):
        Path(f"results/out_{number}.png").unlink()
        Path(f"results/out_{number}.png.json").unlink()
    path = Path("results/out.png.json")
    changes = json.loads(content) if content != "{" else {}
    whole = {**json.loads(path.read_text()), **changes}
    path.write_text(content if "format" in content or content == "{" else json.dumps(whole))
    shown = report("results", "-o", "page")
    assert shown.exit_code == 0, shown.output
    page = Page("page/index.html")
    assert len(page.all("article")) == (4 if message is None else 3)
    if message:
        assert message in shown.output
        assert message.removeprefix("results/") in page.text


def test_pictures_beside_the_result(here):
    """One is missing, one is damaged, one has no record, one has only the text in the file."""
    Path("results/out_1.png").unlink()
    Path("results/out_2.png").write_bytes(Path("results/out_2.png").read_bytes()[:200])
    Image.new("RGB", (9, 9)).save("results/plain.png")
    Path("results/more/size.png.json").unlink()
    Path("results/notes.json").write_text("[]")
    shown = report("results", "-o", "page")
    assert shown.exit_code == 0
    assert "results/out_1.png.json: the picture out_1.png is missing; skipped" in shown.output
    assert "results/out_2.png: damaged picture: " in shown.output
    page = Page("page/index.html")
    assert [page.by_id[f"run-{n}-title"] for n in range(1, 5)] == [
        *("blend.jpg", "fast.ppm", "more/size.png", "out.png")
    ]
    assert "the recorded pixels" in page.by_id["run-3"]
    assert not page.all("input", type="range")


def test_a_changed_result_is_said_so(here):
    Image.new("RGB", (48, 32)).save("results/out.png")
    report("results", "-o", "page")
    assert "This file has changed since it was recorded" in Page("page/index.html").by_id["run-4"]


def test_left_over_pictures_of_another_run_are_their_own(here):
    run("results/out.png", "-style_weight", "7", "-save_iter", "2")
    runs, warnings = find_runs(Path("results"))
    found = {run.result.path.name: [frame.path.name for frame in run.intermediates] for run in runs}
    assert warnings == []
    assert found["out.png"] == ["out_2.png"]
    assert found["out_1.png"] == []
    path = Path("results/out_2.png.json")
    record = json.loads(path.read_text())
    record["trace"][0] = "1.0"  # from other noise
    path.write_text(json.dumps(record))
    found = {run.result.path.name: run.intermediates for run in find_runs(Path("results"))[0]}
    assert found["out.png"] == found["out_2.png"] == ()


def test_an_interrupted_run_shows_its_last_picture(here):
    Path("results/out.png").unlink()
    Path("results/out.png.json").unlink()
    assert report("results", "-o", "page").exit_code == 0
    page = Page("page/index.html")
    assert page.by_id["run-4-title"] == "out_2.png"
    assert "evaluation 2 of 3" in page.by_id["run-4"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["absent"], "absent: no such folder; name the folder with your results"),
        (["in"], "in: contains no picture with a record; name a folder with results of"),
        (["results", "--inputs", "absent"], "absent: no such folder"),
        (["results", "--reference", "absent"], "absent: no such folder"),
        (["results", "-o", "net.safetensors"], "net.safetensors/index.html: cannot be written: "),
    ],
)
def test_errors(here, arguments, message):
    shown = report(*arguments)
    assert shown.exit_code == 1
    assert shown.output.startswith(f"nstyle report: {message}")
    assert shown.output.count("\n") == 1


def test_an_old_page_stays_where_the_new_one_fails(here):
    Path("page").mkdir()
    Path("page/index.html").write_text("old")
    shutil.rmtree("results/more")
    for path in Path("results").glob("*.json"):
        path.write_text("{")
    shown = report("results", "-o", "page")
    assert shown.exit_code == 1
    assert Path("page/index.html").read_text() == "old"


def test_find_runs_raises(tmp_path):
    with pytest.raises(NeuralStyleError, match="contains no picture with a record"):
        find_runs(tmp_path)
