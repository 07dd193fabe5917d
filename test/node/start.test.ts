import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { DEFAULT_PARAMETERS } from '../../src/ledger/parameters.ts';
import { generateIdentityKey } from '../../src/node/keys.ts';
import { loadConfig, type NodeConfig } from '../../src/node/config.ts';
import { openLedger } from '../../src/node/open-ledger.ts';
import { readGenesisFile } from '../../src/node/genesis-file.ts';
import { startNode } from '../../src/node/start.ts';
import type { RunningNode } from '../../src/node/status.ts';
import { makeTestnet } from '../../src/node/testnet.ts';
import { createHost } from '../../src/net/host.ts';
import { SubmissionClient } from '../../src/net/submission-client.ts';
import { nativeScheme } from '../../src/qc/scheme-native.ts';
import { codeOf } from '../net/network.ts';
import { temporaryDirectory } from './directory.ts';
import { JOINED, testNode } from './signed.ts';
import { silentLog } from './silent-log.ts';

/** A network of one validator, which is a quorum of itself, or of more that never start. */
async function testnet(validators = 1): Promise<{ readonly chainId: string; readonly config: NodeConfig }> {
  const directory = join(await temporaryDirectory(), 'net');
  const made = await makeTestnet(
    {
      directory,
      name: 'test',
      validators,
      observers: 0,
      hosts: undefined,
      port: 0,
      commitDepth: 2,
      parameters: DEFAULT_PARAMETERS,
      records: [],
      timestamp: now(),
      settings: {},
    },
    nativeScheme,
  );
  const file = made.nodes[0]?.configFile;
  const { config } = await loadConfig({ file, environment: {}, flags: {}, directory });
  return { chainId: made.chainId, config };
}

async function started(config: NodeConfig): Promise<RunningNode> {
  const node = await startNode(config, silentLog);
  onTestFinished(() => node.stop());
  return node;
}

async function clientOf(node: RunningNode, chainId: string): Promise<SubmissionClient> {
  const { peerId } = node.status();
  const host = await createHost({ identity: generateIdentityKey('ed25519').protobuf, listen: [], chainId });
  onTestFinished(() => host.stop());
  return SubmissionClient.open(host, { peerId, multiaddrs: node.listenAddrs }, { deadlineMs: 5_000 });
}

const now = () => Math.floor(Date.now() / 1000);

test('a node commits what is submitted, goes on where it stopped, and says so', async () => {
  const { chainId, config } = await testnet();
  const first = await started(config);
  const addresses = JSON.parse(await readFile(config.addressFile, 'utf8')) as { addresses: string[] };
  expect(addresses.addresses).toEqual(first.listenAddrs);
  const heights: number[] = [];
  first.onCommit(({ height }) => heights.push(height));
  const event = testNode(chainId).own(JOINED, 1, now());
  const client = await clientOf(first, chainId);
  const [answer] = await client.submit([event.bytes]);
  expect(answer).toMatchObject({ kind: 'acknowledged' });
  const { height, stateRoot } = first.status();
  expect(heights).toContain(answer?.kind === 'acknowledged' ? answer.height : null);
  await first.stop();
  await first.stop();

  const second = await started(config);
  expect(second.status().height).toBeGreaterThanOrEqual(height);
  if (second.status().height === height) expect(second.status().stateRoot).toBe(stateRoot);
  const [again] = await (await clientOf(second, chainId)).submit([event.bytes]);
  expect(again).toEqual({ kind: 'acknowledged', height: null });
});

test('a node that is running keeps its directory to itself, and is not harmed by a second start', async () => {
  const { chainId, config } = await testnet();
  const node = await started(config);
  expect(await codeOf(startNode(config, silentLog))).toBe('store-locked');
  const [answer] = await (await clientOf(node, chainId)).submit([testNode(chainId).own(JOINED, 1, now()).bytes]);
  expect(answer).toMatchObject({ kind: 'acknowledged' });
});

test('a node that cannot listen leaves nothing open behind', async () => {
  const { config } = await testnet();
  const nowhere = { ...config, listen: ['/ip4/203.0.113.1/tcp/1'] };
  expect(await codeOf(startNode(nowhere, silentLog))).toBe('listen-failed');
  const genesis = await readGenesisFile(config.genesis);
  expect(await codeOf(openLedger(config.dataDirectory, genesis, null))).toBe('key-mismatch'); // not locked
  await started(config);
});

test('a validator with the keys of another is refused', async () => {
  const { config } = await testnet(2);
  expect(await codeOf(startNode({ ...config, identityKeyHex: otherKeyHex() }, silentLog))).toBe('not-in-validator-set');
  const blsKeyFile = config.blsKeyFile?.replace('validator-1', 'validator-2') ?? null;
  expect(await codeOf(startNode({ ...config, blsKeyFile }, silentLog))).toBe('bls-key-mismatch');
});

function otherKeyHex(): string {
  return Buffer.from(generateIdentityKey('ed25519').protobuf).toString('hex');
}

test('a submission without a quorum is answered so', async () => {
  const { chainId, config } = await testnet(4);
  const node = await started(config);
  const client = await clientOf(node, chainId);
  const [answer] = await client.submit([testNode(chainId).own(JOINED, 1, now()).bytes]);
  expect(answer).toMatchObject({ kind: 'refused', refusal: { code: 'no-quorum' } });
  expect(node.status().components.find(({ name }) => name === 'consensus')).toMatchObject({ healthy: false });
});
