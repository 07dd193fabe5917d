import { beforeEach, describe, expect, test } from 'vitest';
import { unwrap, type Result } from '../../src/base/result.ts';
import { nodeKey } from '../../src/ledger/state.ts';
import { trustGenesis } from '../../src/ledger/trusted-chain.ts';
import { VALIDATORS_KEY } from '../../src/ledger/validators.ts';
import { verifyRead, verifyStateRead, type VerifiedRead } from '../../src/ledger/verified-read.ts';
import { ReadService } from '../../src/node/read-service.ts';
import { headStatementCodec, type HeadStatement } from '../../src/qc/head-statement.ts';
import { nativeScheme } from '../../src/qc/scheme-native.ts';
import { SealedChain } from '../ledger/chain.ts';
import { peerOf, START } from '../ledger/nodes.ts';
import { followingLedger, type FollowingLedger } from './opened.ts';

const NOW_MS = START * 1000 + 10_000;

let chain: SealedChain;
let following: FollowingLedger;
let statements: HeadStatement[];
let own: Uint8Array | null;
let service: ReadService;

beforeEach(async () => {
  chain = new SealedChain();
  following = await followingLedger(chain);
  statements = [];
  own = null;
  service = new ReadService(following.ledger, {
    f: 1,
    own: () => own,
    collect: () => Promise.resolve(statements),
  });
});

async function commit(node: number): Promise<void> {
  service.committed([await following.commit([chain.join(node)])]);
}

function verified(answer: Uint8Array | undefined, peerId: string): VerifiedRead {
  const trusted = unwrap(trustGenesis(chain.genesis, nativeScheme));
  return unwrap(verifyRead(answer ?? new Uint8Array(0), trusted, { peerId, scheme: nativeScheme, nowMs: NOW_MS }));
}

async function records(peerIds: readonly string[], withAge = false): Promise<readonly Uint8Array[]> {
  return unwrap(await service.handle('a reader', { kind: 'records', peerIds, withAge }));
}

const codeOf = (result: Result<unknown>): string => (result.ok ? 'answered' : result.refusal.code);

describe('an answer to a read', () => {
  test('proves a record, and that there is none, by the seal of the head', async () => {
    await commit(1);
    await commit(2);
    const [present, absent] = await records([peerOf(1), peerOf(9)]);
    expect(verified(present, peerOf(1))).toMatchObject({ height: 2, record: { peerId: peerOf(1) }, ageMs: null });
    expect(verified(absent, peerOf(9))).toMatchObject({ height: 2, record: null });
  });

  test('holds at genesis, which needs no seal, and after a restart', async () => {
    expect(verified((await records([peerOf(1)]))[0], peerOf(1))).toMatchObject({ height: 0, trust: 'genesis' });
    await commit(1);
    service = new ReadService(following.ledger, { f: 1, own: () => null, collect: () => Promise.resolve([]) });
    expect(verified((await records([peerOf(1)]))[0], peerOf(1))).toMatchObject({ height: 1, trust: 'quorum' });
  });

  test('is of any key of the state', async () => {
    await commit(1);
    const answer = unwrap(service.answerFor(VALIDATORS_KEY));
    const trusted = unwrap(trustGenesis(chain.genesis, nativeScheme));
    const options = { key: VALIDATORS_KEY, scheme: nativeScheme, nowMs: NOW_MS };
    expect(unwrap(verifyStateRead(answer, trusted, options)).value).toBeDefined();
  });

  test('never shows a head that is not durable', async () => {
    await commit(1);
    const inMemory = following.commitInMemory([chain.join(2)]);
    const answer = async () => verified((await records([peerOf(2)]))[0], peerOf(2));
    expect(await answer()).toMatchObject({ height: 1, record: null });
    await following.write(inMemory);
    service.committed([inMemory]);
    expect(await answer()).toMatchObject({ height: 2, record: { peerId: peerOf(2) } });
  });

  test('is refused as `height-not-held` while the disk is more than 64 blocks behind', async () => {
    await commit(1);
    for (let i = 0; i < 63; i++) following.commitInMemory();
    expect(codeOf(service.answerFor(nodeKey(peerOf(1))))).toBe('answered');
    following.commitInMemory();
    expect(codeOf(service.answerFor(nodeKey(peerOf(1))))).toBe('height-not-held');
    const request = { kind: 'records', peerIds: [peerOf(1)], withAge: false } as const;
    expect(codeOf(await service.handle('a reader', request))).toBe('height-not-held');
  });

  test('is refused for what is no peer id', async () => {
    const request = { kind: 'records', peerIds: [peerOf(1), 'nobody'], withAge: false } as const;
    expect(await service.handle('a reader', request)).toMatchObject({ refusal: { details: { peerId: 'nobody' } } });
  });
});

describe('the age of an answer', () => {
  const ageOf = async () => verified((await records([peerOf(1)], true))[0], peerOf(1)).ageMs;

  test('is given by f + 1 statements of this head or an earlier one', async () => {
    await commit(1);
    statements = [chain.headStatement(3, NOW_MS - 100), chain.headStatement(0, NOW_MS - 7_000)];
    expect(await ageOf()).toBe(7_000);
    await commit(2);
    expect(await ageOf()).toBe(7_000);
    statements = statements.slice(0, 1);
    expect(await ageOf()).toBeNull();
  });

  test('takes no statement of a later head', async () => {
    await commit(1);
    following.commitInMemory();
    statements = [0, 1].map((signer) => chain.headStatement(signer, NOW_MS));
    expect(await ageOf()).toBeNull();
  });

  test('is not spoiled by a lie about this very head', async () => {
    await commit(1);
    const truth = [1, 2].map((signer) => chain.headStatement(signer, NOW_MS - 50));
    const { block } = new SealedChain().commit([chain.join(5)]).sealed;
    statements = [chain.headStatement(0, NOW_MS, block), ...truth];
    expect(await ageOf()).toBe(50);
  });

  test('carries no more statements than a reader can need, the newest', async () => {
    await commit(1);
    statements = [0, 1, 2, 3].map((signer) => chain.headStatement(signer, NOW_MS - 1_000 * (signer + 1)));
    const [withAll] = await records([peerOf(1)], true);
    statements = statements.slice(0, 3);
    const [withThree] = await records([peerOf(1)], true);
    expect(withAll).toEqual(withThree);
    expect(await ageOf()).toBe(2_000);
  });

  test('is asked of nobody when the reader does not ask for it', async () => {
    service = new ReadService(following.ledger, {
      f: 1,
      own: () => null,
      collect: () => Promise.reject(new Error('nobody asked')),
    });
    expect(await records([peerOf(1)])).toHaveLength(1);
  });
});

describe('head statements', () => {
  const asked = () => service.handle('a reader', { kind: 'headStatements' });

  test("are the validator's own, or all that an observer holds", async () => {
    statements = [1, 2].map((signer) => chain.headStatement(signer, NOW_MS));
    expect(await asked()).toEqual({ ok: true, value: statements.map((one) => headStatementCodec.encode(one)) });
    own = headStatementCodec.encode(chain.headStatement(3, NOW_MS));
    expect(await asked()).toEqual({ ok: true, value: [own] });
  });

  test.each([{ kind: 'linearizable', peerIds: [] }, { kind: 'readIndex' }] as const)(
    'are what tells the age here: $kind is for members of a Raft cluster',
    async (request) => {
      expect(await service.handle('a reader', request)).toMatchObject({ refusal: { code: 'no-read-index' } });
    },
  );

  test('need no epoch proofs in the first epoch', async () => {
    expect(await service.handle('a reader', { kind: 'epochProofs', fromEpoch: 0 })).toEqual({ ok: true, value: [] });
  });
});
