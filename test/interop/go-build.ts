/**
 * The Go server of `go-peer/`, built when it is first needed, once for each state of its sources, compiler and
 * libraries, into a folder that Git does not see.
 */
import { execFile, execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { needs } from '../needs.ts';

const SOURCES = join(import.meta.dirname, 'go-peer');
const CACHE = join(import.meta.dirname, '..', '..', 'node_modules', '.cache', 'go-peer');
/** Where Debian puts the sources of Go libraries. */
const LIBRARIES = '/usr/share/gocode';
const NEEDED = ['raft/api.go', 'raft-boltdb/bolt_store.go'].map((path) => `src/github.com/hashicorp/${path}`);
const BUILD_LIMIT_MS = 300_000;

/** Go's version where Go and the libraries are here, else undefined. */
export function goVersion(): string | undefined {
  if (!NEEDED.every((path) => existsSync(join(LIBRARIES, path)))) return undefined;
  try {
    return execFileSync('go', ['version'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/**
 * @returns whether tests with real Go servers can run; says so on standard error where they are left out
 * @throws Error where REQUIRE_GO=1 or REQUIRE_ALL=1 demands them
 */
export function needsGo(): boolean {
  const required = process.env['REQUIRE_GO'] === '1';
  return needs('Go with hashicorp/raft (scripts/install-go-peer.sh)', goVersion() !== undefined, required);
}

let building: Promise<string> | undefined;

/** @returns the path of the program */
export function goPeer(): Promise<string> {
  building ??= build();
  return building;
}

async function build(): Promise<string> {
  const folder = join(CACHE, digest());
  const program = join(folder, 'go-peer');
  if (existsSync(program)) return program;
  mkdirSync(CACHE, { recursive: true });
  // Whoever is first puts the whole folder in its place; another that built it meanwhile finds it there.
  const own = mkdtempSync(join(CACHE, 'building-'));
  await promisify(execFile)('go', ['build', '-o', join(own, 'go-peer'), '.'], {
    cwd: SOURCES,
    timeout: BUILD_LIMIT_MS,
    env: { ...process.env, GO111MODULE: 'off', GOPATH: LIBRARIES, GOCACHE: join(CACHE, 'compiled') },
  });
  try {
    renameSync(own, folder);
  } catch (error) {
    rmSync(own, { recursive: true });
    if (!existsSync(program)) throw error;
  }
  return program;
}

function digest(): string {
  const hash = createHash('sha256').update(goVersion() ?? '');
  const sources = readdirSync(SOURCES).filter((name) => name.endsWith('.go'));
  for (const path of [...sources.sort().map((name) => join(SOURCES, name)), ...NEEDED.map((p) => join(LIBRARIES, p))]) {
    hash.update(`\0${path}\0`).update(readFileSync(path));
  }
  return hash.digest('hex').slice(0, 16);
}
