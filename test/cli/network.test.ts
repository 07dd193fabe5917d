/** `submit`, `get` and `watch PEERID` against peers in this process: real sockets, answers with true certificates. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { ok, refuse, unwrap, type Result } from '../../src/base/result.ts';
import { formatGenesis } from '../../src/ledger/genesis.ts';
import { nodeKey } from '../../src/ledger/state.ts';
import { encodeReadAnswer } from '../../src/ledger/verified-read.ts';
import { createHost, type Host } from '../../src/net/host.ts';
import { readServer, type ReadHandler } from '../../src/net/read.ts';
import { SubmissionServer } from '../../src/net/submission-server.ts';
import type { SubmissionAnswer } from '../../src/net/submission-wire.ts';
import { generateIdentityKey, saveIdentityKey } from '../../src/node/keys.ts';
import type { ReadReport } from '../../src/node/read-report.ts';
import { SealedChain } from '../ledger/chain.ts';
import { Cluster, Replica } from '../ledger/raft-cluster.ts';
import { peerOf } from '../ledger/nodes.ts';
import { temporaryDirectory } from '../node/directory.ts';
import { run } from './terminal.ts';

const PEER = peerOf(1);
let chain: SealedChain;

beforeAll(() => {
  chain = new SealedChain();
  chain.commit([chain.join(1)]);
});

/** A host that is stopped after the test, and a directory with the genesis and a key. */
async function network(): Promise<{ directory: string; host: Host; choice: string[] }> {
  const directory = await temporaryDirectory();
  await writeFile(join(directory, 'genesis.json'), formatGenesis(chain.genesis));
  await saveIdentityKey(join(directory, 'key'), generateIdentityKey('secp256k1'));
  const host = await createHost({
    identity: generateIdentityKey('ed25519').protobuf,
    listen: ['/ip4/127.0.0.1/tcp/0'],
    chainId: chain.chainId,
  });
  onTestFinished(() => host.stop());
  return { directory, host, choice: ['--genesis', 'genesis.json', '--from', host.addresses()[0] ?? ''] };
}

describe('submit', () => {
  async function submitted(answer: SubmissionAnswer, ...argv: string[]) {
    const { choice, directory, host } = await network();
    const seen: unknown[] = [];
    const handler = async (_peer: string, submission: unknown): Promise<readonly SubmissionAnswer[]> => {
      seen.push(submission);
      return [answer];
    };
    await new SubmissionServer({ host, handler }).start();
    return { seen, ran: await run(['submit', ...argv, '--key', 'key', ...choice], directory) };
  }

  test('signs the event, waits for its commit, and says by whom it was acknowledged', async () => {
    const flags = ['--address', '/ip4/203.0.113.7/tcp/4001', '--node-version', 'v0.6.0', '--web', '--seq', '7'];
    const { seen, ran } = await submitted({ kind: 'acknowledged', height: 3 }, 'joined', ...flags, '--json');
    expect(ran).toMatchObject({ exit: 0, err: '' });
    expect(ran.json()).toMatchObject({ acknowledged: true, seq: 7 });
    const { peerId } = ran.json() as { peerId: string };
    const event = { type: 'joined', peerId, seq: 7, version: 'v0.6.0', isWebScraper: true, isTwitterScraper: false };
    expect(seen).toMatchObject([{ kind: 'json', value: { event, signature: expect.any(String) as string } }]);
  });

  test('prints facts for people', async () => {
    const { ran } = await submitted({ kind: 'acknowledged', height: 3 }, 'heartbeat');
    expect(ran.exit).toBe(0);
    expect(ran.out).toMatch(/^committed +heartbeat$/m);
  });

  test.each([
    ['superseded', 4],
    ['no-quorum', 5],
  ])('that is answered %s exits with %i', async (code, exit) => {
    const { refusal } = refuse(code, 'told by the validator', { lastSeq: 9 });
    const { ran } = await submitted({ kind: 'refused', refusal }, 'heartbeat', '--json');
    expect(ran.exit).toBe(exit);
    expect(ran.json()).toMatchObject({ error: { code, details: { lastSeq: 9 } } });
  });

  test('to nobody exits with 5, as the same command may succeed later', async () => {
    const { choice, directory, host } = await network();
    await host.stop();
    const ran = await run(['submit', 'left', '--key', 'key', ...choice, '--json'], directory);
    expect(ran).toMatchObject({ exit: 5 });
    expect(ran.json()).toMatchObject({ error: { code: 'peer-unreachable' } });
  });

  test.each([
    ['addressesChanged'],
    ['addressesChanged', '--address', ''],
    ['addressesChanged', '--address', '/ip4/203.0.113.7/tcp/1', '--no-addresses'],
    ['heartbeat', '--seq', '9007199254740991'],
  ])('sends nothing that takes addresses away unsaid, or the key its later events: %s %s %s', async (...words) => {
    const { seen, ran } = await submitted({ kind: 'acknowledged', height: 3 }, ...words, '--json');
    expect(ran).toMatchObject({ exit: 2 });
    expect(ran.json()).toMatchObject({ error: { code: 'usage' } });
    expect(seen).toEqual([]);
  });

  test('takes all addresses away where that is said', async () => {
    const { ran } = await submitted(
      { kind: 'acknowledged', height: 3 },
      'addressesChanged',
      '--no-addresses',
      '--dry-run',
    );
    expect(ran.json()).toMatchObject({ event: { type: 'addressesChanged', multiaddrs: [] } });
  });

  test('with --dry-run signs and sends nothing', async () => {
    const { seen, ran } = await submitted({ kind: 'acknowledged', height: 3 }, 'left', '--seq', '4', '--dry-run');
    expect(ran.json()).toMatchObject({ event: { type: 'left', seq: 4 }, signature: expect.any(String) as string });
    expect(seen).toEqual([]);
  });
});

describe('get', () => {
  function answer(alter = false): Uint8Array {
    const { proof, value } = unwrap(chain.machine.proveAt(1, nodeKey(PEER)));
    const { block, seal } = chain.sealedAt(1);
    const headStatements = [0, 1, 2].map((signer) => chain.headStatement(signer, Date.now() - 1_500));
    const record = value === undefined ? null : new Uint8Array(value);
    if (alter && record !== null) record[20] = (record[20] ?? 0) ^ 1;
    return encodeReadAnswer({ value: record, proof, header: block.headerBytes, seal, epochProofs: [], headStatements });
  }

  async function got(served: Result<Uint8Array>, ...argv: string[]) {
    const { choice, directory, host } = await network();
    const handler: ReadHandler = async () => (served.ok ? ok([served.value]) : served);
    await readServer({ host, handler }).start();
    return { ran: await run(['get', PEER, ...choice, '--via', 'read', ...argv], directory), host };
  }

  test('prints the verified record with its height, age and signers', async () => {
    const { ran, host } = await got(ok(answer()), '--max-age', '30s');
    expect(ran).toMatchObject({ exit: 0, err: '' });
    expect(ran.out).toMatch(/^verified +by a quorum of validators$/m);
    expect(ran.out).toMatch(/^height +1$/m);
    expect(ran.out).toMatch(/^age +\d/m);
    expect(ran.out).toMatch(/^signed by +3 of 4 validators: /m);
    expect(ran.out).toMatch(new RegExp(`^served by +${host.peerId}$`, 'm'));
    expect(ran.out).toContain(PEER);
  });

  test('prints all of it as JSON', async () => {
    const { ran, host } = await got(ok(answer()), '--json');
    const report = ran.json() as ReadReport;
    expect(report).toMatchObject({ verified: true, height: 1, servedBy: host.peerId, hint: null, trust: 'quorum' });
    expect(report.node).toMatchObject({ peerId: PEER });
  });

  test('exits with 3 when the record was altered, or is older than --max-age', async () => {
    const altered = await got(ok(answer(true)), '--json');
    expect(altered.ran.exit).toBe(3);
    expect(altered.ran.json()).toMatchObject({ error: { code: 'proof-mismatch' } });
    const old = await got(ok(answer()), '--max-age', '1s', '--json');
    expect(old.ran.exit).toBe(3);
    expect(old.ran.json()).toMatchObject({ error: { code: 'too-old', next: expect.any(String) as string } });
  });

  test('takes the word of a Raft cluster only when asked to, and says so', async () => {
    const replica = new Replica(new Cluster());
    const { chainId } = replica.cluster;
    expect(chainId).toBe(chain.chainId);
    replica.apply({ index: 11, term: 1 }, replica.cluster.command(replica.cluster.join(1)));
    const { block, proof, seal, value } = replica.proven(nodeKey(PEER));
    const raft = encodeReadAnswer({
      value,
      proof,
      header: block.headerBytes,
      seal,
      epochProofs: [],
      headStatements: [],
    });
    const refused = await got(ok(raft), '--json');
    expect(refused.ran).toMatchObject({ exit: 3 });
    expect(refused.ran.json()).toMatchObject({ error: { code: 'trust-crash-only' } });
    const asJson = await got(ok(raft), '--trust', 'crash-only', '--json');
    expect(asJson.ran.json()).toMatchObject({ verified: false, trust: 'crash-only', signers: [], origin: 'event' });
    const { host, ran } = await got(ok(raft), '--trust', 'crash-only');
    expect(ran.out).toMatch(new RegExp(`^verified +no .crash-only.: it is the word of ${host.peerId}`, 'm'));
    expect(ran.out).toMatch(/^signed by +nobody$/m);
  });

  test('believes nobody of the DHT of a Raft cluster', async () => {
    const { choice, directory } = await network();
    const ran = await run(['get', PEER, ...choice, '--via', 'dht', '--trust', 'crash-only', '--json'], directory);
    expect(ran.json()).toMatchObject({ error: { code: 'usage' } });
  });

  test('watch PEERID exits with 3 at the first answer that cannot be verified', async () => {
    const { choice, directory, host } = await network();
    let asked = 0;
    const handler: ReadHandler = async () => ok([answer(asked++ > 1)]);
    await readServer({ host, handler }).start();
    const ran = await run(['watch', PEER, ...choice, '--every', '10ms', '--json'], directory);
    expect(ran.exit).toBe(3);
    const [record, error] = ran.out.split('\n').map((line) => JSON.parse(line) as unknown);
    expect(record).toMatchObject({ verified: true, lastSeq: 1 });
    expect(error).toMatchObject({ error: { code: 'proof-mismatch' } });
  });
});
