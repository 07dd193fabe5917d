import fc from 'fast-check';
import { expect, test } from 'vitest';
import { unwrap } from '../../../src/base/result.ts';
import { BlockLog, committedBlockOps } from '../../../src/ledger/block-log.ts';
import { nodeEntryCodec } from '../../../src/ledger/record.ts';
import { nodeKey } from '../../../src/ledger/state.ts';
import { trustGenesis } from '../../../src/ledger/trusted-chain.ts';
import { verifyRead } from '../../../src/ledger/verified-read.ts';
import { PastStates } from '../../../src/node/projections/past-states.ts';
import { nativeScheme } from '../../../src/qc/scheme-native.ts';
import { SealedChain } from '../../ledger/chain.ts';
import { RandomChain, RANDOM_NODES, randomBlocks } from '../../ledger/random-chain.ts';
import { flipped } from '../../flipped.ts';
import { MemoryStore } from '../../store/memory-store.ts';

async function logged(chain: SealedChain): Promise<{ store: MemoryStore; past: PastStates; log: BlockLog }> {
  const store = new MemoryStore();
  const log = await BlockLog.create(store, { chainId: chain.chainId, validatorKey: null }, chain.state);
  for (const { changes, sealed } of chain.steps) await store.batch(committedBlockOps(sealed, changes));
  const first = () => Promise.resolve(chain.state);
  return { store, log, past: new PastStates({ store, log, first, validatorsOf: () => chain.validators }) };
}

test('a record at every height of a chain is the one of then, proven against the root of that height', async () => {
  await fc.assert(
    fc.asyncProperty(randomBlocks(5, 12), fc.gen(), async (blocks, choose) => {
      const random = new RandomChain();
      const { chain } = random;
      const then: ReadonlyMap<string, Uint8Array>[] = [new Map(chain.backing.entries)];
      for (const block of blocks) {
        random.commit(block);
        then.push(new Map(chain.backing.entries));
      }
      const { past } = await logged(chain);
      const trusted = unwrap(trustGenesis(chain.genesis, nativeScheme));
      const heights = choose(fc.shuffledSubarray, [...then.keys()], { minLength: then.length });
      for (const height of heights) {
        for (const peerId of RANDOM_NODES) {
          const answer = unwrap(await past.answer(height, nodeKey(peerId)));
          const read = unwrap(verifyRead(answer, trusted, { scheme: nativeScheme, peerId, nowMs: Date.now() }));
          const value = then[height]?.get(nodeKey(peerId));
          const entry = value === undefined ? undefined : nodeEntryCodec.decodeOwn(value);
          expect(read.height).toBe(height);
          expect(read.record).toEqual(entry?.kind === 'record' ? entry : null);
        }
      }
    }),
    { numRuns: 6 },
  );
});

test('an answer in which any bit was changed is refused', async () => {
  const chain = new SealedChain();
  for (const node of [1, 2, 3]) chain.commit([chain.join(node)]);
  const { past } = await logged(chain);
  const peerId = chain.steps[1]?.sealed.block.events[0]?.event.peerId as string;
  const answer = unwrap(await past.answer(2, nodeKey(peerId)));
  const trusted = unwrap(trustGenesis(chain.genesis, nativeScheme));
  const verify = (bytes: Uint8Array) => verifyRead(bytes, trusted, { scheme: nativeScheme, peerId, nowMs: Date.now() });
  expect(verify(answer).ok).toBe(true);
  for (let bit = 3; bit < answer.length * 8; bit += 97) expect(verify(flipped(answer, bit)).ok).toBe(false);
});

test('a height that is not in the log is refused, with those that are', async () => {
  const chain = new SealedChain();
  for (const node of [1, 2, 3]) chain.commit([chain.join(node)]);
  const { log, past, store } = await logged(chain);
  const key = nodeKey(RANDOM_NODES[0] as string);
  expect(await past.answer(4, key)).toMatchObject({
    ok: false,
    refusal: { code: 'height-not-served', details: { height: 4, from: 0, to: 3 } },
  });
  // What a pruned log looks like.
  const block = (height: number) => committedBlockOps(chain.sealedAt(height), [])[0]!.key;
  await store.batch([{ kind: 'delete', key: block(0) }]);
  expect(await past.answer(0, key)).toMatchObject({
    refusal: { code: 'blocks-pruned', details: { fromHeight: 0, oldest: 1, head: 3 } },
  });
  const pruned = new PastStates({
    store,
    log,
    first: () => Promise.resolve({ ...chain.state, block: chain.sealedAt(2).block }),
    validatorsOf: () => chain.validators,
  });
  await expect(pruned.answer(1, key)).rejects.toMatchObject({ code: 'blocks-pruned', details: { oldest: 2 } });
});

test('a log that does not execute to its roots answers nothing', async () => {
  const chain = new SealedChain();
  for (const node of [1, 2, 3]) chain.commit([chain.join(node)]);
  const { log, store } = await logged(chain);
  const other = new SealedChain({ validators: 5 });
  const first = () => Promise.resolve({ ...other.state, block: chain.state.block });
  const past = new PastStates({ store, log, first, validatorsOf: () => chain.validators });
  await expect(past.answer(2, nodeKey(RANDOM_NODES[0] as string))).rejects.toThrow();
});
