/**
 * A reader that has the genesis file and nothing else: what it is told is true whoever served it, and what was altered
 * or is out of date is refused.
 */
import { expect, onTestFinished, test } from 'vitest';
import { ok, unwrap } from '../../src/base/result.ts';
import { claimedPosition } from '../../src/ledger/verified-read.ts';
import { DhtRecords } from '../../src/net/dht.ts';
import { read } from '../../src/net/read.ts';
import type { RecordKey } from '../../src/net/record-rules.ts';
import { AddressBook } from '../../src/node/address-book.ts';
import { openLightReader } from '../../src/node/light-reader.ts';
import type { ReadReport } from '../../src/node/read-report.ts';
import { eventually } from '../eventually.ts';
import { TestNetwork } from './harness.ts';
import { authors, Submitters, type Author } from './load.ts';
import { ReadProxy, type Alteration } from './read-proxy.ts';
import { carelessDht, stranger } from './stranger.ts';

const DEADLINE = { deadlineMs: 5_000 };
const READ = { maxAgeMs: undefined, timeoutMs: 5_000 };
/** Bytes altered together; the long run alters each by itself. */
const RANGE_BYTES = process.env['LONG'] === '1' ? 1 : 24;

test('a light reader verifies what anyone serves, and takes nothing that is altered or stale', async () => {
  const network = await TestNetwork.start({ settings: { log: { level: 'debug' } } });
  const [author] = authors(network.chainId, 1) as [Author];
  const { peerId } = author.key;
  const submitters = new Submitters(network);
  // Where it is committed in the second attempt, the answer does not say; then the network is at rest there.
  const commit = async (): Promise<number> => {
    const { height } = await submitters.acknowledged('validator-1', author.next());
    return height ?? (await network.level(network.names())).height;
  };
  const joinedAt = await commit();

  // From a validator, from a peer that is none, and from the DHT; each in a process of its own.
  const get = async (name: string, via: string) => {
    const from = network.target(name).multiaddrs?.[0] ?? '';
    const argv = ['--genesis', network.testnet.genesisFile, '--from', from, '--via', via, '--max-age', '30s', '--json'];
    const { exit, json } = await network.run('get', peerId, ...argv);
    return exit === 0 ? (json() as ReadReport) : undefined;
  };
  const reports = await Promise.all([
    eventually('a validator serves the record', () => get('validator-2', 'read')),
    eventually('the observer serves the record', () => get('observer', 'read')),
    eventually('the DHT leads to the record', () => get('observer', 'dht')),
  ]);
  const expected = { verified: true, peerId, height: joinedAt, node: { peerId, isActive: true }, trust: 'quorum' };
  for (const report of reports) expect(report).toMatchObject(expected);
  expect(reports[0].servedBy).toBe(network.node('validator-2').peerId);
  expect(reports[1].servedBy).toBe(network.node('observer').peerId);
  expect(reports[2].hint).toMatchObject({ height: joinedAt });

  const old = await answerOf(network, 'validator-1', peerId);
  const changedAt = await commit();
  await noStaleRecord(network, peerId, old, changedAt);
  await noAlteredAnswer(network, peerId, changedAt);
});

/** Puts an old record, which was true once, to every node that keeps records. */
async function noStaleRecord(network: TestNetwork, peerId: string, old: Uint8Array, height: number): Promise<void> {
  expect(unwrap(claimedPosition(old)).height).toBeLessThan(height);
  const host = await stranger(network, { dht: carelessDht() });
  for (const name of network.names()) await host.connect(network.target(name), DEADLINE);
  const records = new DhtRecords(host, (_key, value) => {
    const position = claimedPosition(value);
    return position.ok ? ok(position.value.height) : position;
  });
  const key: RecordKey = { kind: 'node', peerId };
  await eventually('the DHT holds the new record', async () => {
    const found = await records.get(key, DEADLINE);
    return (found?.answers === network.names().length && found.height === height) || undefined;
  });
  expect(await records.put(key, old, DEADLINE)).toMatchObject({ stored: 0 });
  // Logs are written behind the answer.
  for (const name of network.names()) {
    await eventually(`${name} says why it refused the record`, async () => {
      return /"code":"record-stale".*"msg":"DHT record refused"/.test(network.log(name)) || undefined;
    });
  }
  expect(await records.get(key, DEADLINE)).toMatchObject({ height });
}

/** A peer relays a validator's answer, one range of its bytes altered at a time. */
async function noAlteredAnswer(network: TestNetwork, peerId: string, height: number): Promise<void> {
  const host = await stranger(network, { listens: true });
  const proxy = new ReadProxy(host, network.target('validator-1'));
  await proxy.start();
  const reader = await openLightReader({
    genesis: network.genesis,
    addresses: new AddressBook(new Map(), [], []),
    named: [proxy.target],
    via: 'read',
  });
  onTestFinished(() => reader.close());
  const relayed = unwrap(await reader.read(peerId, { ...READ, maxAgeMs: 30_000 }));
  expect(relayed).toMatchObject({ height, lastSeq: expect.any(Number) as number, servedBy: host.peerId });

  const bytes = proxy.answerBytes;
  const accepted: string[] = [];
  const codes = new Set<string>();
  for (let from = 0; from < bytes; from += RANGE_BYTES) {
    for (const alteration of ['flip', 'invert', 'cut'] satisfies Alteration[]) {
      proxy.alter = { alteration, from, to: Math.min(from + RANGE_BYTES, bytes) };
      const answer = await reader.read(peerId, READ);
      if (answer.ok) accepted.push(`${alteration} at ${from} of ${bytes}`);
      else codes.add(answer.refusal.code);
    }
  }
  expect(accepted).toEqual([]);
  expect(codes.size).toBeGreaterThan(3);

  proxy.alter = { alteration: 'flip', from: Math.floor(bytes / 2), to: Math.floor(bytes / 2) + 1 };
  const argv = [
    '--genesis',
    network.testnet.genesisFile,
    '--from',
    proxy.target.multiaddrs?.[0] ?? '',
    '--via',
    'read',
  ];
  const refused = await network.run('get', peerId, ...argv, '--json');
  expect(refused).toMatchObject({ exit: 3 });
  expect(refused.json()).toMatchObject({ error: { code: expect.stringMatching(/^[a-z-]+$/) as string } });
}

async function answerOf(network: TestNetwork, name: string, peerId: string): Promise<Uint8Array> {
  const host = await stranger(network);
  const request = { kind: 'records', peerIds: [peerId], withAge: false } as const;
  const [answer] = unwrap(await read(host, network.target(name), request, DEADLINE));
  if (answer === undefined) throw new Error('one peer id has one answer');
  return answer;
}
