"""A hub on loopback: as much of the HTTP interface as the real client asks for."""

import base64
import hashlib
import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

import yaml

TOKEN = "hf_let_me_in"


class Hub:
    """Repositories by name, each with its branches: a tree of files by path, under their hash."""

    def __init__(self) -> None:
        self.repos: dict[str, dict[str, dict[str, bytes]]] = {}
        self.private: dict[str, bool] = {}
        self.messages: list[str] = []
        self.asked: list[tuple[str, str]] = []

    def sha(self, repo: str, branch: str) -> str:
        tree = self.repos[repo][branch]
        return hashlib.sha1(repr(sorted(tree.items())).encode() + branch.encode()).hexdigest()

    def branch(self, repo: str, revision: str) -> str | None:
        """The branch of a name, or of which this is the commit."""
        branches = self.repos[repo]
        return next((b for b in branches if revision in (b, self.sha(repo, b))), None)


@contextmanager
def serving(hub: Hub):
    """The hub's address while it is up."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_):
            pass

        def reply(self, status: int, content: object = b"", **headers: str) -> None:
            body = content if isinstance(content, bytes) else json.dumps(content).encode()
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name.replace("_", "-"), value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def body(self) -> bytes:
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))

        def do_POST(self):
            path, body = unquote(urlsplit(self.path).path), self.body()
            hub.asked.append(("POST", path))
            if path == "/api/validate-yaml":
                yaml.safe_load(json.loads(body)["content"].split("---")[1])
                return self.reply(200, {"errors": [], "warnings": []})
            if self.headers.get("Authorization") != f"Bearer {TOKEN}":
                return self.reply(401, {"error": "Invalid username or password."})
            if path == "/api/repos/create":
                return self.create(json.loads(body))
            _, _, _, user, name, verb, revision = path.split("/", 6)
            repo = f"{user}/{name}"
            if verb == "branch":
                known = revision in hub.repos[repo]
                hub.repos[repo].setdefault(revision, dict(hub.repos[repo]["main"]))
                return self.reply(409 if known else 200, {})
            if verb == "preupload":
                files = json.loads(body)["files"]
                modes = [{"path": f["path"], "uploadMode": "regular", "shouldIgnore": False} for f in files]
                return self.reply(200, {"files": modes})
            assert verb == "commit", path
            for line in body.splitlines():
                self.apply(hub.repos[repo][revision], **json.loads(line))
            url = f"{address}/{repo}/commit/{hub.sha(repo, revision)}"
            return self.reply(200, {"commitUrl": url, "commitOid": hub.sha(repo, revision)})

        def create(self, asked: dict):
            repo = f"{asked.get('organization') or 'ada'}/{asked['name']}"
            if repo.startswith("others/"):
                return self.reply(403, {"error": "You don't have the rights to create a model here"})
            known = repo in hub.repos
            hub.repos.setdefault(repo, {"main": {".gitattributes": b""}})
            hub.private.setdefault(repo, asked.get("visibility") == "private")
            return self.reply(409 if known else 200, {"url": f"{address}/{repo}"})

        def apply(self, tree: dict[str, bytes], key: str, value: dict):
            if key == "header":
                hub.messages.append(value["summary"])
            elif key == "file":
                tree[value["path"]] = base64.b64decode(value["content"])
            else:
                assert key == "deletedFile", key
                del tree[value["path"]]

        def do_GET(self):
            path = unquote(urlsplit(self.path).path)
            hub.asked.append((self.command, path))
            words = path.strip("/").split("/")
            user, name = words[2:4] if words[0] == "api" else words[:2]
            repo, rest = f"{user}/{name}", words[4:] if words[0] == "api" else words[2:]
            if repo not in hub.repos:
                return self.reply(404, {}, X_Error_Code="RepoNotFound")
            branch = hub.branch(repo, rest[1] if len(rest) > 1 else "main")
            if branch is None:
                return self.reply(404, {}, X_Error_Code="RevisionNotFound")
            tree, sha = hub.repos[repo][branch], hub.sha(repo, branch)
            if words[0] != "api":
                content = tree["/".join(rest[2:])]
                return self.reply(
                    200, content, ETag=f'"{hashlib.sha1(content).hexdigest()}"', X_Repo_Commit=sha
                )
            if rest[:1] == ["tree"]:
                oids = {path: hashlib.sha1(content).hexdigest() for path, content in tree.items()}
                return self.reply(
                    200,
                    [{"type": "file", "path": p, "size": len(c), "oid": oids[p]} for p, c in tree.items()],
                )
            siblings = [{"rfilename": path} for path in tree]
            return self.reply(
                200, {"id": repo, "sha": sha, "private": hub.private[repo], "siblings": siblings}
            )

        do_HEAD = do_GET

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    address = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield address
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
