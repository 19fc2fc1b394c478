"""A stand-in of the HuggingFace hub's HTTP API, as far as models are fetched and uploaded.

Paths and answers are those of the hub's documentation and of git-lfs' batch API, without Xet, which is
switched off for it. It can misbehave: `broken` are ways to answer, `log` is what was asked.
"""

import base64
import hashlib
import json
import re
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from time import sleep  # itself, whatever a test puts in its place for the client
from urllib.parse import unquote, urlsplit

REPOSITORY = "lab/valle"
TOKEN = "hf_stand_in"
LFS = (".safetensors", ".npz", ".zip", ".pth")


class Hub:
    """Repositories: name -> commits, each of which is path -> bytes.

    Attributes:
        blobs: SHA-256 -> bytes of large files that have arrived.
        log: method and path of every request.
        broken: called with the handler before each answer; true: it has answered.
        rate: bytes a second at which large files are taken; 0: at once.
    """

    def __init__(self):
        self.repositories = {}
        self.blobs = {}
        self.log = []
        self.broken = lambda handler: False
        self.rate = 0
        self.lock = threading.Lock()

    def commit(self, repository, files):
        commits = self.repositories.setdefault(repository, [])
        commits.append({**(commits[-1] if commits else {}), **files})
        return sha(commits)

    def files(self, repository=REPOSITORY):
        return self.repositories[repository][-1]

    def asked(self, words):
        return [line for line in self.log if words in line]


def sha(commits):
    """Name of the last commit."""
    return hashlib.sha1(repr([sorted(commit.items()) for commit in commits]).encode()).hexdigest()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: Hub

    def log_message(self, *args):
        pass

    def answer(self, status, content=b"", **headers):
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def hang_up(self):
        """Break the connection without an answer."""
        self.close_connection = True
        self.connection.close()

    def body(self):
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            content = b""
            while size := int(self.rfile.readline(), 16):
                content += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return content
        left = int(self.headers.get("Content-Length") or 0)
        content = b""
        while left:
            part = self.rfile.read(min(left, 16384))
            if not part:
                break
            content, left = content + part, left - len(part)
            if self.hub.rate:
                sleep(len(part) / self.hub.rate)
        return content

    def handle_any(self):
        self.route = unquote(urlsplit(self.path).path)
        self.hub.log.append(f"{self.command} {self.route}")
        if self.hub.broken(self):
            return
        for method, pattern, function in ROUTES:
            found = re.fullmatch(pattern, self.route)
            if found and self.command in method.split("|"):
                return function(self, **found.groupdict())
        self.body()
        self.answer(404, {"error": "Not Found"}, X_Error_Message="no such page")

    do_GET = do_HEAD = do_POST = do_PUT = handle_any

    def allowed(self):
        if self.headers.get("Authorization") == f"Bearer {TOKEN}":
            return True
        self.body()
        self.answer(401, {"error": "Invalid username or password."})
        return False

    def create(self):
        if not self.allowed():
            return
        asked = json.loads(self.body())
        name = f"{asked['organization']}/{asked['name']}"
        if name in self.hub.repositories:
            return self.answer(409, {"error": "You already created this model repo", "url": self.url(name)})
        self.hub.commit(name, {".gitattributes": b""})
        self.answer(200, {"url": self.url(name)})

    def url(self, path):
        return f"http://127.0.0.1:{self.server.server_port}/{path}"

    def validate(self):
        self.body()
        self.answer(200, {"errors": [], "warnings": []})

    def preupload(self, repository, revision):
        if not self.allowed():
            return
        files = json.loads(self.body())["files"]
        there = self.hub.files(repository)
        modes = [
            {
                "path": one["path"],
                "uploadMode": "lfs" if one["path"].endswith(LFS) else "regular",
                "shouldIgnore": False,
                "oid": oid(one["path"], there[one["path"]]) if one["path"] in there else None,
            }
            for one in files
        ]
        self.answer(200, {"files": modes})

    def batch(self, repository):
        if not self.allowed():
            return
        answers = []
        for one in json.loads(self.body())["objects"]:
            answer = {"oid": one["oid"], "size": one["size"]}
            if one["oid"] not in self.hub.blobs:
                answer["actions"] = {
                    "upload": {"href": self.url(f"storage/{one['oid']}")},
                    "verify": {"href": self.url("verify")},
                }
            answers.append(answer)
        self.answer(200, {"transfer": "basic", "objects": answers})

    def store(self, name):
        content = self.body()
        if hashlib.sha256(content).hexdigest() != name:
            return self.answer(400, {"error": "cut short"})
        self.hub.blobs[name] = content
        self.answer(200)

    def verify(self):
        found = json.loads(self.body())
        self.answer(200 if found["oid"] in self.hub.blobs else 404)

    def make_commit(self, repository, revision):
        if not self.allowed():
            return
        files = {}
        for line in self.body().decode().splitlines():
            asked = json.loads(line)
            value = asked["value"]
            if asked["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            if asked["key"] == "lfsFile":
                files[value["path"]] = self.hub.blobs[value["oid"]]
        made = self.hub.commit(repository, files)
        self.answer(200, {"commitUrl": self.url(f"{repository}/commit/{made}"), "commitOid": made})

    def at(self, repository, revision="main"):
        """The commits up to a revision; none where there is none, which is told."""
        commits = self.hub.repositories.get(repository)
        if commits is None:
            self.answer(404, {}, X_Error_Code="RepoNotFound", X_Error_Message="Repository not found")
            return None
        names = {sha(commits[: n + 1]): commits[: n + 1] for n in range(len(commits))}
        found = commits if revision == "main" else names.get(revision)
        if found is None:
            self.answer(404, {}, X_Error_Code="RevisionNotFound", X_Error_Message=f"Invalid rev {revision}")
        return found

    def info(self, repository, revision="main"):
        commits = self.at(repository, revision)
        if commits:
            files = [{"rfilename": path} for path in commits[-1]]
            self.answer(200, {"id": repository, "sha": sha(commits), "siblings": files, "tags": []})

    def tree(self, repository, revision):
        commits = self.at(repository, revision)
        if not commits:
            return
        entries = []
        for path, content in commits[-1].items():
            entry = {"type": "file", "path": path, "size": len(content), "oid": git_oid(content)}
            if path.endswith(LFS):
                entry["lfs"] = {"oid": oid(path, content), "size": len(content), "pointerSize": 134}
            entries.append(entry)
        self.answer(200, entries)

    def resolve(self, repository, revision, path):
        commits = self.at(repository, revision)
        if not commits:
            return
        headers = {"X_Repo_Commit": sha(commits)}
        if path not in commits[-1]:
            return self.answer(404, {}, X_Error_Code="EntryNotFound", **headers)
        content = commits[-1][path]
        headers["ETag"] = f'"{oid(path, content)}"'
        if self.command == "GET" and (found := re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))):
            start = int(found[1])
            headers["Content_Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
            return self.answer(206, content[start:], **headers)
        self.answer(200, content, **headers)


NAME = r"(?P<repository>[\w.-]+/[\w.-]+)"
REVISION = r"(?P<revision>[\w.-]+)"
ROUTES = (
    ("POST", "/api/repos/create", Handler.create),
    ("POST", "/api/validate-yaml", Handler.validate),
    ("POST", f"/api/models/{NAME}/preupload/{REVISION}", Handler.preupload),
    ("POST", f"/api/models/{NAME}/commit/{REVISION}", Handler.make_commit),
    ("POST", rf"/{NAME}\.git/info/lfs/objects/batch", Handler.batch),
    ("PUT", r"/storage/(?P<name>\w+)", Handler.store),
    ("POST", "/verify", Handler.verify),
    ("GET", f"/api/models/{NAME}", Handler.info),
    ("GET", f"/api/models/{NAME}/revision/{REVISION}", Handler.info),
    ("GET", f"/api/models/{NAME}/tree/{REVISION}/?", Handler.tree),
    ("GET|HEAD", f"/{NAME}/resolve/{REVISION}/(?P<path>.+)", Handler.resolve),
)


def oid(path, content):
    """As the hub names a file: by SHA-256 a large one, as git does another."""
    return hashlib.sha256(content).hexdigest() if path.endswith(LFS) else git_oid(content)


def git_oid(content):
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


@contextmanager
def hub_stand_in(monkeypatch):
    """A hub that huggingface_hub talks to in place of the public one, with a user who is logged in."""
    from huggingface_hub import constants

    hub = Hub()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("HubHandler", (Handler,), {"hub": hub}))
    endpoint = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setattr(constants, "ENDPOINT", endpoint)
    template = endpoint + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        hub.endpoint = endpoint
        yield hub
    finally:
        server.shutdown()
        server.server_close()
