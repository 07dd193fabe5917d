/** A network of one validator, which is a quorum of itself, and observers, all in this process. */
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DEFAULT_PARAMETERS } from '../../../src/ledger/parameters.ts';
import { createHost } from '../../../src/net/host.ts';
import { SubmissionClient } from '../../../src/net/submission-client.ts';
import { loadConfig, type NodeConfig } from '../../../src/node/config.ts';
import { readGenesisFile } from '../../../src/node/genesis-file.ts';
import type { JoinFirstOptions } from '../../../src/node/joining/join-first.ts';
import { generateIdentityKey } from '../../../src/node/keys.ts';
import { snapshotOfStopped } from '../../../src/node/snapshot/stopped-ledger.ts';
import { startNode } from '../../../src/node/start.ts';
import type { RunningNode } from '../../../src/node/status.ts';
import { makeTestnet } from '../../../src/node/testnet.ts';
import { nativeScheme } from '../../../src/qc/scheme-native.ts';
import { JOINED, testNode } from '../signed.ts';
import { silentLog } from '../silent-log.ts';

export interface SmallNetwork {
  /** Of all; whoever made it removes it. */
  readonly directory: string;
  readonly chainId: string;
  /** By the names `validator-1`, `observer-1` and so on. */
  readonly configs: ReadonlyMap<string, NodeConfig>;
}

export async function smallNetwork(observers: number): Promise<SmallNetwork> {
  const parent = await mkdtemp(join(tmpdir(), 'hotledger-'));
  const directory = join(parent, 'net');
  const made = await makeTestnet(
    {
      directory,
      name: 'test',
      validators: 1,
      observers,
      hosts: undefined,
      port: 0,
      commitDepth: 2,
      parameters: DEFAULT_PARAMETERS,
      records: [],
      timestamp: Math.floor(Date.now() / 1000),
      settings: {},
    },
    nativeScheme,
  );
  const configs = new Map<string, NodeConfig>();
  for (const { configFile, name } of made.nodes) {
    const { config } = await loadConfig({ file: configFile, environment: {}, flags: {}, directory });
    configs.set(name, config);
  }
  return { directory: parent, chainId: made.chainId, configs };
}

export function started(config: NodeConfig, options: JoinFirstOptions = {}): Promise<RunningNode> {
  return startNode(config, silentLog, options);
}

/** New nodes of the ledger, submitted to a running node and committed. */
export async function submitJoins(node: RunningNode, chainId: string, count: number): Promise<void> {
  const host = await createHost({ identity: generateIdentityKey('ed25519').protobuf, listen: [], chainId });
  try {
    const target = { peerId: node.status().peerId, multiaddrs: node.listenAddrs };
    const client = await SubmissionClient.open(host, target, { deadlineMs: 5_000 });
    const now = Math.floor(Date.now() / 1000);
    const events = Array.from({ length: count }, () => testNode(chainId).own(JOINED, 1, now).bytes);
    for (const answer of await client.submit(events)) {
      if (answer.kind !== 'acknowledged') throw new Error(`not acknowledged: ${JSON.stringify(answer)}`);
    }
  } finally {
    await host.stop();
  }
}

/** Of a directory whose node does not run. */
export async function takeSnapshot(config: NodeConfig) {
  return snapshotOfStopped({
    dataDirectory: config.dataDirectory,
    genesis: await readGenesisFile(config.genesis),
    onProgress: () => undefined,
    signal: new AbortController().signal,
  });
}
