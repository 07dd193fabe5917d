/** A light reader against peers in this process: real sockets, a DHT of three, a chain with true certificates. */
import { describe, expect, onTestFinished, test } from 'vitest';
import { ok, refuse, unwrap, type Result } from '../../src/base/result.ts';
import { nodeKey } from '../../src/ledger/state.ts';
import { trustGenesis } from '../../src/ledger/trusted-chain.ts';
import { encodeReadAnswer, verifyStateRead } from '../../src/ledger/verified-read.ts';
import { DhtRecords } from '../../src/net/dht.ts';
import { createHost, type Host } from '../../src/net/host.ts';
import { readServer } from '../../src/net/read.ts';
import { recordRules, type RecordCheck } from '../../src/net/record-rules.ts';
import { AddressBook } from '../../src/node/address-book.ts';
import { generateIdentityKey } from '../../src/node/keys.ts';
import { openLightReader, type LightReader, type ReadWay } from '../../src/node/light-reader.ts';
import { nativeScheme } from '../../src/qc/scheme-native.ts';
import { SealedChain } from '../ledger/chain.ts';
import { peerOf } from '../ledger/nodes.ts';

const PEER = peerOf(1);
const ABSENT = peerOf(2);
const OPTIONS = { maxAgeMs: undefined, timeoutMs: 5_000 };

function answerOf(chain: SealedChain, peerId: string, statements = 0): Uint8Array {
  const { proof, value } = unwrap(chain.machine.proveAt(chain.machine.head.height, nodeKey(peerId)));
  const headStatements = Array.from({ length: statements }, (_, signer) => chain.headStatement(signer, Date.now()));
  const { block, seal } = chain.sealedAt(chain.machine.head.height);
  return encodeReadAnswer({
    value: value ?? null,
    proof,
    header: block.headerBytes,
    seal,
    epochProofs: [],
    headStatements,
  });
}

class Peer {
  readonly host: Host;
  readonly records: DhtRecords;

  private constructor(host: Host, records: DhtRecords) {
    this.host = host;
    this.records = records;
  }

  static async start(chain: SealedChain, answers: 'head' | 'busy' = 'head'): Promise<Peer> {
    const trusted = unwrap(trustGenesis(chain.genesis, nativeScheme));
    const check: RecordCheck = (key, value) => {
      if (key.kind !== 'node') return refuse('record-key-unknown', 'not here');
      const read = verifyStateRead(value, trusted, {
        key: nodeKey(key.peerId),
        scheme: nativeScheme,
        nowMs: Date.now(),
      });
      return read.ok ? ok(read.value.height) : read;
    };
    const heights = new Map<string, number>();
    const memory = {
      get: (key: string) => heights.get(key),
      put: async (key: string, height: number) => void heights.set(key, height),
    };
    const host = await createHost({
      identity: generateIdentityKey('ed25519').protobuf,
      listen: ['/ip4/127.0.0.1/tcp/0'],
      chainId: chain.chainId,
      dht: { mode: 'server', records: recordRules({ check, heights: memory }) },
    });
    onTestFinished(() => host.stop());
    const handler = async (_peer: string, request: { readonly kind: string; readonly peerIds?: readonly string[] }) => {
      const served: Result<readonly Uint8Array[]> =
        answers === 'busy'
          ? refuse('busy', 'later')
          : ok((request.peerIds ?? []).map((peerId) => answerOf(chain, peerId, 4)));
      return served;
    };
    await readServer({ host, handler }).start();
    return new Peer(host, new DhtRecords(host, check));
  }

  get target() {
    return { peerId: this.host.peerId, multiaddrs: this.host.addresses() };
  }
}

interface Network {
  readonly chain: SealedChain;
  readonly peers: readonly [Peer, Peer, Peer];
  reader(via: ReadWay | undefined, named?: readonly Peer[]): Promise<LightReader>;
}

async function network(answers: 'head' | 'busy' = 'head'): Promise<Network> {
  const chain = new SealedChain();
  chain.commit([chain.join(1)]);
  const peers = (await Promise.all([1, 2, 3].map(() => Peer.start(chain, answers)))) as [Peer, Peer, Peer];
  const [first, ...others] = peers;
  for (const { host } of others) await host.connect(first.target, { deadlineMs: 5_000 });
  await expect.poll(() => first.host.dhtPeers(), { timeout: 5_000 }).toBe(2);
  return {
    chain,
    peers,
    async reader(via, named = [first]) {
      const addresses = new AddressBook(new Map(), [], []);
      const targets = named.map(({ target }) => target);
      const reader = await openLightReader({ genesis: chain.genesis, addresses, named: targets, via });
      onTestFinished(() => reader.close());
      return reader;
    },
  };
}

async function put({ chain, peers: [, second] }: Network, peerId = PEER): Promise<void> {
  const { stored } = await second.records.put({ kind: 'node', peerId }, answerOf(chain, peerId), { deadlineMs: 5_000 });
  expect(stored).toBeGreaterThan(0);
}

describe('a light reader', () => {
  test('takes the DHT record as a hint, which a peer proves again at its head', async () => {
    const here = await network();
    await put(here);
    here.chain.now += 2;
    here.chain.commit([here.chain.event({ type: 'versionChanged', peerId: PEER, seq: 2, version: 'v2' })]);
    const reader = await here.reader('dht');
    const report = unwrap(await reader.read(PEER, { ...OPTIONS, maxAgeMs: 10_000 }));
    expect(report).toMatchObject({ height: 2, lastSeq: 2, node: { version: 'v2' }, hint: { height: 1, lastSeq: 1 } });
    expect(report.servedBy).toBe(here.peers[0].host.peerId);
  });

  test('reports the DHT record where no peer proves it, and its age as unknown', async () => {
    const here = await network('busy');
    await put(here);
    const reader = await here.reader('dht');
    const report = unwrap(await reader.read(PEER, OPTIONS));
    expect(report).toMatchObject({ verified: true, servedBy: 'dht', height: 1, ageMs: null, hint: { height: 1 } });
    expect(await reader.read(PEER, { ...OPTIONS, maxAgeMs: 60_000 })).toMatchObject({ refusal: { code: 'busy' } });
  });

  test('falls back on the DHT when nobody named gives an answer that holds, and asks whom it met there', async () => {
    const here = await network('busy');
    await put(here, ABSENT);
    const report = unwrap(await (await here.reader(undefined)).read(ABSENT, OPTIONS));
    expect(report).toMatchObject({ servedBy: 'dht', node: null, lastSeq: null });
  });

  test('leaves the DHT alone when it is told to', async () => {
    const here = await network('busy');
    await put(here);
    const read = await (await here.reader('read')).read(PEER, OPTIONS);
    expect(read).toMatchObject({ ok: false, refusal: { code: 'busy' } });
  });

  test('says that the DHT holds no record, or that it was not reached', async () => {
    const here = await network();
    const never = await (await here.reader('dht')).read(ABSENT, { ...OPTIONS, timeoutMs: 2_000 });
    expect(never).toMatchObject({
      refusal: { code: 'peer-unreachable', details: { asked: 'dht', because: 'record-not-found' } },
    });
    const alone = await (await here.reader('dht', [])).read(PEER, { ...OPTIONS, timeoutMs: 100 });
    expect(alone).toMatchObject({ refusal: { details: { asked: 'dht', because: 'dht-not-entered' } } });
  });
});
