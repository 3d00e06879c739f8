"""Annotation files: refused with the file and the line at fault, read in any known encoding."""

from __future__ import annotations

import pickle

import pytest

from hbi_core.data import read_corpus
from hbi_core.errors import DataError
from support.releases import ids, texts

BROKEN = [  # data set, split, file, content, what the message says
    ("msrvtt", "train", "MSRVTT_data.json", '{"videos": [],\n\n"sentences"; []}', "line 3: not"),
    ("msrvtt", "train", "MSRVTT_data.json", '{"videos": []}', "'sentences'"),
    ("msrvtt", "train", "MSRVTT_data.json", "[]", "expected an object"),
    (
        "msrvtt",
        "train",
        "MSRVTT_data.json",
        '{"videos": [], "sentences": [{"video_id": "a", "caption": "b"}, {"video_id": 7}]}',
        r"sentences\[1\]: 'video_id'",
    ),
    (
        "msrvtt",
        "captioning-test",
        "MSRVTT_data.json",
        '{"videos": [{"video_id": "a"}], "sentences": []}',
        r"videos\[0\]: there is no 'split'",
    ),
    ("msrvtt", "train", "MSRVTT_train.9k.csv", "id\nvideo1\n", "line 1: .*no column video_id"),
    ("msrvtt", "train", "MSRVTT_train.9k.csv", "", "line 1"),
    (
        "msrvtt",
        "test",
        "MSRVTT_JSFUSION_test.csv",
        "key,vid_key,video_id,sentence\nret0,msr1,video9770,fine\nret1,msr1,video9771\n",
        "line 3",
    ),
    (
        "msrvtt",
        "test",
        "MSRVTT_JSFUSION_test.csv",
        "key,vid_key,video_id,sentence\nret0,msr1,video9770,a cat, a dog\n",
        "line 2: .*quotes",
    ),
    (
        "msrvtt",
        "test",
        "MSRVTT_JSFUSION_test.csv",
        "key,vid_key,video_id,sentence\nret0,msr1,video9770,\n",
        "line 2: sentence is empty",
    ),
    (
        "flickr8k",
        "all",
        "captions.txt",
        'image,caption\n1_ab.jpg,good\n2_ab.jpg,"not closed\n3_ab.jpg,x\n',
        "line 3: not CSV",
    ),
    ("flickr8k", "all", "captions.txt", b"image,caption\na,b\nc,\xff\n", "line 3: not UTF-8"),
    ("activitynet", "test", "captions/val_ids.json", '{"v_a": 1}', "list of strings"),
    ("activitynet", "test", "captions/val_1.json", '{"v_a": {"sentences": []}}', "v_a.*timestamps"),
    (
        "activitynet",
        "test",
        "captions/val_1.json",
        '{"v_a": {"timestamps": [[0, 1]], "sentences": ["a", "b"]}}',
        "1 timestamps for 2",
    ),
    (
        "activitynet",
        "test",
        "captions/val_1.json",
        '{"v_a": {"timestamps": [["x", 1]], "sentences": ["a"]}}',
        "timestamp",
    ),
    ("didemo", "test", "annotations/test_data.json", "{}", "list of moments"),
    ("didemo", "test", "annotations/test_data.json", '[{"video": "x"}]', r"\[0\].*description"),
    ("msvd", "test", "raw-captions.pkl", b"\x80\x04not a pickle", "not a readable pickle"),
    ("msvd", "test", "raw-captions.pkl", b"", "not a readable pickle"),
    ("msvd", "test", "raw-captions.pkl", pickle.dumps([1]), "expected an object"),
    ("msvd", "test", "raw-captions.pkl", pickle.dumps({"d_3_4": "snow"}), "d_3_4"),
    ("msvd", "test", "raw-captions.pkl", pickle.dumps({"d_3_4": [["a", 1]]}), "d_3_4, caption 0"),
    ("msvd", "test", "raw-captions.pkl", pickle.dumps({"d_3_4": ["it snows"]}), "d_3_4, caption 0"),
    ("qa", "test", "msrvtt_qa/test.jsonl", '{"answer": "a"}\n', "line 1: there is no 'video_id'"),
    ("qa", "train", "msrvtt_qa/train.jsonl", "\n\n{'answer'\n", "line 3: not JSON"),
]


@pytest.mark.parametrize(("name", "split", "file", "content", "message"), BROKEN)
def test_broken_annotations_are_named(name, split, file, content, message, request):
    root = request.getfixturevalue(name)
    (root / file).write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(DataError, match=message) as caught:
        read_corpus("msrvtt_qa" if name == "qa" else name, root, split)
    assert str(root / file) in str(caught.value)


def test_a_byte_order_mark_is_no_part_of_the_header(flickr8k):
    path = flickr8k / "captions.txt"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert len(read_corpus("flickr8k", flickr8k, "all").clips) == 60


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-be", "utf-16-le", "utf-32"])
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_texts_with_a_byte_order_mark(flickr8k, encoding, newline):
    mark = "" if encoding in ("utf-8-sig", "utf-16", "utf-32") else "\ufeff"
    lines = ["image,caption", "5_ab.jpg,ein Hühnchen läuft", '7_ab.jpg,"猫, zwei"', ""]
    content = (mark + newline.join(lines)).encode(encoding)
    (flickr8k / "captions.txt").write_bytes(content)
    assert texts(read_corpus("flickr8k", flickr8k, "all")) == {
        "5_ab.jpg": ("ein Hühnchen läuft",),
        "7_ab.jpg": ("猫, zwei",),
    }


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_lists_with_the_line_ends_of_any_system(flickr8k, newline):
    path = flickr8k / "Flickr_8k.trainImages.txt"
    path.write_bytes(newline.join(["5_ab.jpg", "7_ab.jpg", ""]).encode("utf-8-sig"))
    assert ids(read_corpus("flickr8k", flickr8k, "train")) == ["5_ab.jpg", "7_ab.jpg"]


@pytest.mark.parametrize(
    ("encoding", "caption", "line", "reason"),
    [
        ("cp1252", "the café", 3, "not UTF-8"),
        ("gbk", "狗", 3, "not UTF-8"),
        ("utf-16-le", "a cafe", 1, "zero byte"),
        ("utf-32-be", "a cafe", 1, "zero byte"),
    ],
)
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_texts_of_other_encodings_are_named(flickr8k, encoding, caption, line, reason, newline):
    text = newline.join(["image,caption", "5_ab.jpg,two dogs", f"7_ab.jpg,{caption}", ""])
    (flickr8k / "captions.txt").write_bytes(text.encode(encoding))
    with pytest.raises(
        DataError, match=rf"captions\.txt, line {line}: .*{reason}.*Save it as UTF-8"
    ):
        read_corpus("flickr8k", flickr8k, "all")


def test_half_of_a_character_in_utf16(flickr8k):
    content = "image,caption\n5_ab.jpg,x".encode("utf-16")
    (flickr8k / "captions.txt").write_bytes(content[:-1])
    with pytest.raises(DataError, match=r"captions\.txt, line 2: not UTF-16"):
        read_corpus("flickr8k", flickr8k, "all")


def test_half_a_surrogate_pair_in_json_becomes_a_question_mark(didemo):
    path = didemo / "annotations" / "test_data.json"
    path.write_text(r'[{"video": "4@N_4.mp4", "description": "a cat \ud83d"}]')
    assert texts(read_corpus("didemo", didemo, "test")) == {"4@N_4": ("a cat ?",)}
