"""The Hub's own client, `huggingface_hub`, against the test Hub.

    check_hub.py open ENDPOINT FOLDER REPO OLD_NAME BIG     listing, downloads, the old name, errors
    check_hub.py resume ENDPOINT FOLDER REPO BIG            one file, whose first answer stalls
    check_hub.py gated ENDPOINT FOLDER REPO TOKEN           refused without the token, served with it
    check_hub.py dataset ENDPOINT FOLDER REPO               `datasets` loads and streams an exported repository

FOLDER is what the Hub serves. Prints {"checks": [names of what held], "problems"}.
"""

import hashlib
import json
import os
import shutil
import sys
import tempfile

MODE, ENDPOINT, FOLDER, REPO, *MORE = sys.argv[1:]
HOME = tempfile.mkdtemp(prefix="irlake-hub-")
os.environ.update(
    HF_HOME=HOME,
    HF_ENDPOINT=ENDPOINT,
    HF_HUB_DISABLE_IMPLICIT_TOKEN="1",
    HF_HUB_DOWNLOAD_TIMEOUT="2" if MODE == "resume" else "30",
    HF_HUB_DISABLE_PROGRESS_BARS="1",
    HF_HUB_DISABLE_TELEMETRY="1",
    HF_DATASETS_DISABLE_PROGRESS_BARS="1",
)
os.environ.pop("HF_TOKEN", None)
for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
    del os.environ[name]

from huggingface_hub import HfApi, hf_hub_download, snapshot_download
from huggingface_hub.errors import EntryNotFoundError, GatedRepoError, RepositoryNotFoundError, RevisionNotFoundError

api = HfApi()
verdict = {"checks": [], "problems": []}


def served():
    """Every file of the folder, with its bytes."""
    found = {}
    for folder, _, names in os.walk(FOLDER):
        for name in names:
            path = os.path.join(folder, name)
            with open(path, "rb") as file:
                found[os.path.relpath(path, FOLDER)] = file.read()
    return found


def check(name, holds):
    (verdict["checks"] if holds else verdict["problems"]).append(name)


def raises(kind, call):
    """Whether the call raises exactly this kind of error, which is how the client tells its users apart what is wrong."""
    try:
        call()
    except Exception as error:
        return type(error) is kind
    return False


def read(path):
    with open(path, "rb") as file:
        return file.read()


def download(path, **options):
    return read(hf_hub_download(options.pop("repo", REPO), path, repo_type="dataset", **options))


def check_open(old_name, big):
    files = served()
    check("list_repo_files", sorted(api.list_repo_files(REPO, repo_type="dataset")) == sorted(files))
    info = api.dataset_info(REPO, files_metadata=True)
    sizes = {one.rfilename: one.size for one in info.siblings}
    check("dataset_info sizes", sizes == {path: len(content) for path, content in files.items()})
    tree = {
        one.path: one for one in api.list_repo_tree(REPO, repo_type="dataset", recursive=True) if hasattr(one, "blob_id")
    }
    check("list_repo_tree", sorted(tree) == sorted(files))
    check("lfs hash", tree[big].lfs.sha256 == hashlib.sha256(files[big]).hexdigest())
    [entry] = api.get_paths_info(REPO, [big], repo_type="dataset")
    check("get_paths_info", entry.size == len(files[big]))
    check("hf_hub_download of a large file", download(big) == files[big])
    check("hf_hub_download of a small file", download("README.md") == files["README.md"])
    check("hf_hub_download at a commit", download("README.md", revision=info.sha) == files["README.md"])
    check("file_exists", api.file_exists(REPO, big, repo_type="dataset"))
    check("file_exists of none", not api.file_exists(REPO, "nothing.bin", repo_type="dataset"))
    folder = snapshot_download(REPO, repo_type="dataset", local_dir=os.path.join(HOME, "snapshot"))
    check("snapshot_download", all(read(os.path.join(folder, path)) == content for path, content in files.items()))
    part = snapshot_download(REPO, repo_type="dataset", allow_patterns="*.parquet", local_dir=os.path.join(HOME, "part"))
    some = sorted(name for name in os.listdir(part) if not name.startswith("."))
    check("snapshot_download of a pattern", some == sorted(path for path in files if path.endswith(".parquet")))
    check("renamed: dataset_info", api.dataset_info(old_name).sha == info.sha)
    check("renamed: list_repo_files", sorted(api.list_repo_files(old_name, repo_type="dataset")) == sorted(files))
    check("renamed: hf_hub_download", download(big, repo=old_name, cache_dir=os.path.join(HOME, "old")) == files[big])
    check("EntryNotFoundError", raises(type_of_missing_entry(), lambda: download("nothing.bin")))
    check("RevisionNotFoundError", raises(RevisionNotFoundError, lambda: download(big, revision="no-such")))
    check("RepositoryNotFoundError", raises(RepositoryNotFoundError, lambda: api.dataset_info("nobody/nothing")))


def type_of_missing_entry():
    """The client tells a missing file on the server from one missing in its cache, by a subclass."""
    from huggingface_hub import errors

    return getattr(errors, "RemoteEntryNotFoundError", EntryNotFoundError)


def check_resume(big):
    content = read(os.path.join(FOLDER, big))
    check("a stalled download ends with the right bytes", download(big) == content)


def check_gated(token):
    files = served()
    path = sorted(files)[-1]
    check("gated: the listing is open", sorted(api.list_repo_files(REPO, repo_type="dataset")) == sorted(files))
    check("gated: GatedRepoError", raises(GatedRepoError, lambda: download(path)))
    check("gated: with the token", download(path, token=token) == files[path])


def check_dataset():
    from datasets import get_dataset_config_names, load_dataset

    check("twelve configurations", len(get_dataset_config_names(REPO)) == 12)
    loaded = load_dataset(REPO, "1k", split="test")
    streamed = list(load_dataset(REPO, "1k", split="test", streaming=True))
    check("load_dataset", len(loaded) > 0 and loaded[0]["image"].size[0] > 0)
    check("streaming", [row["prompt"] for row in streamed] == list(loaded["prompt"]))


{"open": check_open, "resume": check_resume, "gated": check_gated, "dataset": check_dataset}[MODE](*MORE)
shutil.rmtree(HOME)
print(json.dumps(verdict))
sys.stdout.flush()
os._exit(0)
