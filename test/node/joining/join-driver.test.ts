import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { ok } from '../../../src/base/result.ts';
import type { Host, PeerTarget } from '../../../src/net/host.ts';
import { SnapshotClient, snapshotServer, type SnapshotSource } from '../../../src/net/snapshot-sync.ts';
import { JoinDriver } from '../../../src/node/joining/join-driver.ts';
import { JoinStaging } from '../../../src/node/joining/join-staging.ts';
import { SealedChain } from '../../ledger/chain.ts';
import { eventually } from '../../eventually.ts';
import { codeOf, filled, startHost, targetOf } from '../../net/network.ts';
import { temporaryDirectory } from '../directory.ts';
import { silentLog } from '../silent-log.ts';
import { checksOf, heldSnapshot, sourceOf, type HeldSnapshot } from './served-snapshots.ts';

const DEPTH = 4;
const CHUNKS = 2 ** DEPTH;

let chain: SealedChain;
let held: HeldSnapshot;

beforeAll(() => {
  chain = new SealedChain();
  for (let node = 1; node <= 40; node++) chain.commit([chain.join(node)]);
  held = heldSnapshot(chain, DEPTH);
});

async function serverOf(source: SnapshotSource): Promise<Host> {
  const host = await startHost();
  await snapshotServer({ host, source }).start();
  return host;
}

interface Joiner {
  readonly driver: JoinDriver;
  readonly staging: JoinStaging;
  readonly stop: () => void;
}

async function joiner(directory: string, servers: readonly PeerTarget[], patienceMs = 0): Promise<Joiner> {
  const host = await startHost({ listen: [] });
  const staging = new JoinStaging(directory);
  const { checks, verify } = checksOf(chain);
  const stopped = new AbortController();
  const driver = new JoinDriver({
    client: SnapshotClient.over(host),
    checks,
    staging,
    started: await staging.load(verify),
    servers: () => servers.map(({ peerId }) => peerId),
    target: (peerId) => servers.find((server) => server.peerId === peerId) as PeerTarget,
    patienceMs,
    ownHeight: null,
    nowMs: () => Date.now(),
    log: silentLog,
    signal: stopped.signal,
  });
  return { driver, staging, stop: () => stopped.abort() };
}

async function expectWhole(staging: JoinStaging): Promise<void> {
  const folder = staging.folderOf(held.of);
  expect((await readdir(folder)).length).toBe(CHUNKS + 1);
  for (const [index, chunk] of held.chunks.entries()) {
    const kept = await readFile(join(folder, `chunk-${String(index).padStart(5, '0')}`));
    expect(new Uint8Array(kept)).toEqual(chunk);
  }
}

describe('a node that joins over libp2p', () => {
  it('fetches from all servers and keeps every chunk on disk, whatever one of them sends', async () => {
    const lies = sourceOf(held, { chunk: () => Promise.resolve(ok(filled(100))) });
    const liar = await serverOf(lies);
    const others = await Promise.all([serverOf(sourceOf(held)), serverOf(sourceOf(held))]);
    const { driver, staging } = await joiner(await temporaryDirectory(), [liar, ...others].map(targetOf));
    expect(await driver.run()).toEqual({ kind: 'snapshot', of: expect.objectContaining(held.of) as unknown });
    await expectWhole(staging);
    const { servers } = driver.status();
    expect(servers.find(({ server }) => server === liar.peerId)).toMatchObject({
      chunks: 0,
      droppedBecause: 'undecodable',
    });
    for (const { peerId } of others) {
      expect(servers.find(({ server }) => server === peerId)?.chunks).toBeGreaterThan(0);
    }
  });

  it('goes on by the others when a server vanishes, and one never answers', async () => {
    const silent = await serverOf(sourceOf(held, { chunk: () => new Promise(() => undefined) }));
    const asked = Promise.withResolvers<void>();
    const vanishing = await serverOf(
      sourceOf(held, { chunk: () => new Promise(() => undefined), onChunk: () => asked.resolve() }),
    );
    const honest = await serverOf(sourceOf(held));
    const targets = [silent, vanishing, honest].map(targetOf);
    const { driver, staging } = await joiner(await temporaryDirectory(), targets);
    const running = driver.run();
    await asked.promise;
    await vanishing.stop();
    expect(await running).toMatchObject({ kind: 'snapshot' });
    await expectWhole(staging);
  });

  it('goes on where it stopped, and asks for nothing again that it had', async () => {
    const directory = await temporaryDirectory();
    const answered = new Set<number>();
    let limit = 5;
    const asked: number[] = [];
    const server = await serverOf(
      sourceOf(held, {
        onChunk: (index) => asked.push(index),
        chunk: (index) => {
          if (answered.size >= limit) return new Promise(() => undefined);
          answered.add(index);
          return Promise.resolve(ok(held.chunks[index] as Uint8Array));
        },
      }),
    );
    const first = await joiner(directory, [targetOf(server)]);
    const running = first.driver.run();
    await eventually('five chunks are kept', () => first.driver.status().chunksKept >= limit || undefined);
    first.stop();
    expect(await codeOf(running)).toBe('join-stopped');
    limit = CHUNKS;
    asked.length = 0;
    // Half a chunk that a kill left.
    await writeFile(join(first.staging.folderOf(held.of), 'chunk-00015.draft'), filled(10));
    const second = await joiner(directory, [targetOf(server)]);
    expect(await second.driver.run()).toMatchObject({ kind: 'snapshot' });
    expect(asked.length).toBe(CHUNKS - 5);
    expect(second.driver.status().chunksKept).toBe(CHUNKS);
  });

  it('begins at genesis where the servers have no snapshot, or nobody is there', async () => {
    const none = await serverOf({ ...sourceOf(held), offer: () => Promise.resolve(NOTHING) });
    const { driver } = await joiner(await temporaryDirectory(), [targetOf(none)]);
    expect(await driver.run()).toEqual({ kind: 'genesis', because: 'no-snapshots' });
    const older = await startHost();
    const alone = await joiner(await temporaryDirectory(), [targetOf(older)]);
    expect(await alone.driver.run()).toEqual({ kind: 'genesis', because: 'nobody-answers' });
  });

  it('says by code when it cannot write what it fetched, and stops', async () => {
    const directory = join(await temporaryDirectory(), 'data');
    const server = await serverOf(sourceOf(held));
    const { driver } = await joiner(directory, [targetOf(server)]);
    await writeFile(directory, 'a file where the directory would be');
    expect(await codeOf(driver.run())).toBe('join-write-failed');
  });
});

const NOTHING = { headHeight: 12, oldestBlock: 1, snapshots: [] };

describe('what a join has kept', () => {
  it('is nothing where the manifest is missing, damaged or of another chain', async () => {
    const directory = await temporaryDirectory();
    const staging = new JoinStaging(directory);
    const { verify } = checksOf(chain);
    expect(await staging.load(verify)).toBeNull();
    await staging.begin(held.of, held.manifest);
    await staging.keep(held.of, 3, held.chunks[3] as Uint8Array);
    expect(await staging.load(verify)).toEqual({ of: held.of, kept: [3] });
    await writeFile(join(staging.folderOf(held.of), 'manifest'), held.manifest.slice(0, 50));
    expect(await staging.load(verify)).toBeNull();
    expect(await staging.isThere()).toBe(false);
  });

  it('is of one snapshot: another takes its place as a whole', async () => {
    const staging = new JoinStaging(await temporaryDirectory());
    const { verify } = checksOf(chain);
    await staging.begin({ ...held.of, height: 7 }, held.manifest);
    await staging.keep({ ...held.of, height: 7 }, 1, filled(4));
    await staging.begin(held.of, held.manifest);
    expect(await staging.load(verify)).toEqual({ of: held.of, kept: [] });
  });
});
