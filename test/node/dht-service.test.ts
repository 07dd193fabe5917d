import { beforeEach, describe, expect, test } from 'vitest';
import { utf8 } from '../../src/base/bytes.ts';
import { unwrap } from '../../src/base/result.ts';
import { nodeKey } from '../../src/ledger/state.ts';
import { VALIDATORS_KEY } from '../../src/ledger/validators.ts';
import { dhtRules } from '../../src/node/dht-service.ts';
import { ReadService } from '../../src/node/read-service.ts';
import type { RecordRules } from '../../src/net/record-rules.ts';
import { genesisCertificate } from '../../src/qc/certificate.ts';
import { nativeScheme } from '../../src/qc/scheme-native.ts';
import { SealedChain } from '../ledger/chain.ts';
import { peerOf, START } from '../ledger/nodes.ts';
import { codeOf } from '../net/network.ts';
import { InPlaceVerifier } from './in-place-verifier.ts';
import { followingLedger, type FollowingLedger } from './opened.ts';
import { silentLog } from './silent-log.ts';

let chain: SealedChain;
let following: FollowingLedger;
let reads: ReadService;
let verifier: InPlaceVerifier;
let rules: RecordRules;

beforeEach(async () => {
  chain = new SealedChain();
  following = await followingLedger(chain);
  const statements = { f: 1, own: () => null, collect: () => Promise.resolve([]) };
  reads = new ReadService(following.ledger, statements);
  rules = rulesOver();
});

function rulesOver(): RecordRules {
  const { chainId, validators } = chain;
  const genesis = genesisCertificate(0, chain.state.block.id);
  verifier = new InPlaceVerifier({ chainId, validators, genesis }, nativeScheme);
  return dhtRules({ ledger: following.ledger, log: silentLog, nowMs: () => START * 1000, pool: verifier });
}

async function commit(...nodes: readonly number[]): Promise<void> {
  reads.committed([await following.commit(nodes.map((node) => chain.join(node)))]);
}

const valueOf = (node: number) => unwrap(reads.answerFor(nodeKey(peerOf(node))));

/** As libp2p asks whether it may keep a value. */
async function put(key: string, value: Uint8Array): Promise<string> {
  const validate = rules.validators[key.split('/')[1] ?? ''];
  return codeOf(Promise.resolve(validate?.(utf8(key), value, {})));
}

describe('a record of the DHT', () => {
  test('is kept when it proves itself: a node, and the validators', async () => {
    await commit(1);
    expect(await put(`/db/${peerOf(1)}`, valueOf(1))).toBe('no error');
    expect(await put('/masa/validators', unwrap(reads.answerFor(VALIDATORS_KEY)))).toBe('no error');
    expect(verifier.jobs).toEqual(Array(2).fill({ kind: 'stateRead', urgency: 'bulk' }));
  });

  test('that is older than one that was seen is refused as `record-stale`, after a restart too', async () => {
    await commit(1);
    const old = valueOf(1);
    await commit(2);
    const key = `/db/${peerOf(1)}`;
    expect(await put(key, valueOf(1))).toBe('no error');
    expect(await put(key, old)).toBe('record-stale');
    rules = rulesOver();
    expect(await put(key, old)).toBe('record-stale');
    expect(await put(key, valueOf(1))).toBe('no error');
  });

  test('of a node that never was is refused as `record-absent`, true as it is, and leaves nothing behind', async () => {
    await commit(1);
    const before = await entries();
    for (let node = 100; node < 110; node++)
      expect(await put(`/db/${peerOf(node)}`, valueOf(node))).toBe('record-absent');
    expect(await entries()).toBe(before);
  });

  test('of another key, altered, or no record at all, is refused', async () => {
    await commit(1, 2);
    expect(await put(`/db/${peerOf(2)}`, valueOf(1))).not.toBe('no error');
    const value = valueOf(1);
    for (let at = 0; at < value.length; at += 37) {
      const altered = value.map((byte, i) => (i === at ? byte ^ 0x10 : byte));
      expect(await put(`/db/${peerOf(1)}`, altered)).not.toBe('no error');
    }
    expect(await put(`/db/${peerOf(1)}`, utf8('anything'))).toBe('undecodable');
    expect(await put('/db/not a peer', value)).toBe('record-key-unknown');
  });

  test('that another chain sealed is refused', async () => {
    await commit(1);
    const [own, key] = [chain, `/db/${peerOf(1)}`];
    chain = new SealedChain({ validators: 7 });
    following = await followingLedger(chain);
    reads = new ReadService(following.ledger, { f: 2, own: () => null, collect: () => Promise.resolve([]) });
    await commit(1);
    const foreign = valueOf(1);
    expect(own.chainId).not.toBe(chain.chainId);
    expect(await put(key, foreign)).toBe('chain-id-mismatch');
  });

  test('of the greatest height is the one that a search takes', async () => {
    await commit(1);
    const old = valueOf(1);
    await commit(2);
    const key = utf8(`/db/${peerOf(1)}`);
    const forged = valueOf(1).map((byte, i) => (i === 60 ? byte ^ 1 : byte));
    expect(await rules.selectors['db']?.(key, [old, forged, valueOf(1), old])).toBe(2);
  });
});

async function entries(): Promise<number> {
  let count = 0;
  for await (const _ of following.ledger.store.entries({})) count++;
  return count;
}
