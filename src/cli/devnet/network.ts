/**
 * The directory of a devnet: made at the first start, gone on from at the next. It is made beside its place and moved
 * there whole, so that an interrupted first start leaves nothing half made.
 */
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { codedError } from '../../base/result.ts';
import { NEWEST_EVENT_SCHEMA } from '../../ledger/newest-schema.ts';
import type { Genesis } from '../../ledger/genesis.ts';
import { readGenesisFile } from '../../node/genesis-file.ts';
import { makeTestnet, type TestnetNode } from '../../node/testnet.ts';
import { loadDefaultScheme } from '../../qc/default-scheme.ts';

export interface DevnetOptions {
  readonly directory: string;
  /** Only asked at the first start. */
  readonly validators: number;
  /** Left out: by HotStuff. Only asked at the first start. */
  readonly consensus?: 'hotstuff' | 'raft';
  readonly livenessWindowSeconds: number;
}

export interface Devnet {
  readonly directory: string;
  readonly chainId: string;
  readonly genesisFile: string;
  readonly genesis: Genesis;
  /** Validators in their order, then the observer. */
  readonly nodes: readonly TestnetNode[];
  /** 32 secret bytes that the simulated nodes' keys come from. */
  readonly populationSeed: Uint8Array;
  readonly consensus: 'hotstuff' | 'raft';
  /** Whether this start made it. */
  readonly isNew: boolean;
}

const manifestFile = z.strictObject({
  chainId: z.string(),
  populationSeed: z.string().regex(/^[0-9a-f]{64}$/),
  consensus: z.enum(['hotstuff', 'raft']).default('hotstuff'),
  nodes: z.array(z.strictObject({ name: z.string(), role: z.enum(['validator', 'observer']), peerId: z.string() })),
});
type Manifest = z.infer<typeof manifestFile>;

/** @throws CodedError `devnet-directory-foreign` */
export async function openDevnet(options: DevnetOptions): Promise<Devnet> {
  const { directory } = options;
  const isNew = !existsSync(join(directory, 'devnet.json'));
  if (isNew) await makeDevnet(options);
  const manifest = await readManifest(directory);
  const genesisFile = join(directory, 'genesis.json');
  return {
    directory,
    chainId: manifest.chainId,
    consensus: manifest.consensus,
    genesisFile,
    genesis: await readGenesisFile(genesisFile),
    nodes: manifest.nodes.map((node) => ({
      ...node,
      directory: join(directory, node.name),
      configFile: join(directory, node.name, 'config.json'),
      dataDirectory: join(directory, node.name, 'data'),
    })),
    populationSeed: new Uint8Array(Buffer.from(manifest.populationSeed, 'hex')),
    isNew,
  };
}

async function makeDevnet(options: DevnetOptions): Promise<void> {
  const { consensus = 'hotstuff', directory, livenessWindowSeconds, validators } = options;
  if (existsSync(directory)) {
    throw codedError(
      'devnet-directory-foreign',
      `${directory} exists and is not a devnet's; choose another --dir, or move it away`,
      { directory },
    );
  }
  const draft = `${directory}.${process.pid}.new`;
  const { scheme } = await loadDefaultScheme();
  try {
    const testnet = await makeTestnet(
      {
        directory: draft,
        name: 'devnet',
        validators,
        observers: 1,
        hosts: undefined,
        port: 0,
        consensus,
        commitDepth: 2,
        parameters: { livenessWindowSeconds, eventSchema: NEWEST_EVENT_SCHEMA },
        records: [],
        timestamp: Math.floor(Date.now() / 1000),
        settings: {},
      },
      scheme,
    );
    const manifest: Manifest = {
      chainId: testnet.chainId,
      consensus,
      populationSeed: randomBytes(32).toString('hex'),
      nodes: testnet.nodes.map(({ name, role, peerId }) => ({ name, role, peerId })),
    };
    await writeFile(join(draft, 'devnet.json'), `${JSON.stringify(manifest, null, 2)}\n`, { mode: 0o600 });
    await rename(draft, directory);
  } catch (error) {
    await rm(draft, { recursive: true, force: true });
    throw error;
  }
}

async function readManifest(directory: string): Promise<Manifest> {
  try {
    return manifestFile.parse(JSON.parse(await readFile(join(directory, 'devnet.json'), 'utf8')));
  } catch (error) {
    throw codedError(
      'devnet-directory-foreign',
      `${join(directory, 'devnet.json')} is not what a devnet writes; choose another --dir, or move it away`,
      { directory },
      { cause: error },
    );
  }
}
