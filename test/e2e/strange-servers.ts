/** Servers of snapshots that are no nodes of the network: one that lies, one that is slow, one that stands still. */
import { cp, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { ok, unwrap, type Result } from '../../src/base/result.ts';
import { snapshotChunkCodec } from '../../src/ledger/snapshot-chunk.ts';
import { createHost } from '../../src/net/host.ts';
import { snapshotServer } from '../../src/net/snapshot-sync.ts';
import { writeAddressFile } from '../../src/node/address-book.ts';
import type { ConfigFile } from '../../src/node/config-schema.ts';
import { generateIdentityKey } from '../../src/node/keys.ts';
import { ServedSnapshots } from '../../src/node/served-snapshots.ts';
import { SnapshotFolder } from '../../src/node/snapshot/snapshot-folder.ts';
import type { TestNetwork } from './harness.ts';

export type ChunkAnswer = (chunk: Result<Uint8Array>) => Result<Uint8Array> | Promise<Result<Uint8Array>>;

/** A host with the snapshots of a validator, which answers in its own way when it is asked for a chunk. */
export function strangeServer(network: TestNetwork, name: string, answer: ChunkAnswer) {
  return serverOf(network, SnapshotFolder.of(network.node(name).dataDirectory), answer);
}

/** A host that has the snapshots that a validator has now, and no later ones. */
export async function staleServer(network: TestNetwork, name: string) {
  const directory = join(network.directory, `stale-${name}`);
  await cp(SnapshotFolder.of(network.node(name).dataDirectory).directory, directory, { recursive: true });
  const folder = new SnapshotFolder(directory);
  const [height] = await folder.heights();
  if (height === undefined) throw new Error(`${name} has no snapshot yet`);
  return { ...(await serverOf(network, folder, (chunk) => chunk)), height };
}

async function serverOf(network: TestNetwork, folder: SnapshotFolder, answer: ChunkAnswer) {
  const { chainId } = network;
  const { peerId, protobuf } = generateIdentityKey('ed25519');
  const host = await createHost({ identity: protobuf, listen: ['/ip4/127.0.0.1/tcp/0'], chainId });
  onTestFinished(() => host.stop());
  const served = new ServedSnapshots({
    chainId,
    folder,
    headHeight: () => 1_000,
    oldestBlock: () => 1,
  });
  const server = snapshotServer({
    host,
    source: {
      offer: () => served.offer(),
      manifest: (of) => served.manifest(of),
      chunk: async (of, index) => answer(await served.chunk(of, index)),
    },
  });
  await server.start();
  const addressFile = join(network.directory, `${peerId}.json`);
  await writeAddressFile(addressFile, { peerId, pid: process.pid, addresses: [...host.addresses()] });
  return { peerId, addressFile };
}

/** One bit of one value is another one. */
export function altered(chunk: Result<Uint8Array>): Result<Uint8Array> {
  if (!chunk.ok) return chunk;
  const { content, proof } = unwrap(snapshotChunkCodec.decode(chunk.value));
  const [first, ...others] = content.entries;
  if (first === undefined) return chunk;
  const value = first.value.slice();
  value[value.length - 1] = (value.at(-1) ?? 0) ^ 1;
  return ok(snapshotChunkCodec.encode({ content: { ...content, entries: [{ ...first, value }, ...others] }, proof }));
}

/** As if its operator had named this server first. */
export async function knowsFirst(network: TestNetwork, name: string, addressFile: string): Promise<void> {
  const path = network.node(name).configFile;
  const config = JSON.parse(await readFile(path, 'utf8')) as ConfigFile;
  await writeFile(path, JSON.stringify({ ...config, addressFiles: [addressFile, ...(config.addressFiles ?? [])] }));
}
