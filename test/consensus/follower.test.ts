import { describe, expect, it } from 'vitest';
import { Follower } from '../../src/consensus/follower.ts';
import { SealedBuffer, MAX_BLOCKS_AHEAD } from '../../src/consensus/sealed-buffer.ts';
import type { VerifiedSealedBlock } from '../../src/consensus/engine.ts';
import { machineAtGenesis } from '../../src/ledger/genesis-state.ts';
import { joinOf } from '../hotstuff/chain.ts';
import { admitSealed } from '../hotstuff/admitting.ts';
import { Driver } from '../hotstuff/driver.ts';

const POLL_MS = 5000;
const RETRY_MS = 500;
const FETCH_MS = 1000;

/** Five committed blocks, sealed, and what they lead to. */
function chainOfFive() {
  const driver = Driver.started({ n: 4 });
  for (let i = 1; i <= 3; i++) {
    driver.submit(0, joinOf(driver.chain, i));
    driver.settle();
  }
  const { height, stateRoot } = driver.engine(0).status();
  const blocks = driver
    .node(0)
    .disk.sealed.slice(1)
    .map((bytes) => admitSealed(driver.chain, bytes));
  return { driver, height, stateRoot, blocks };
}

function followerOf({ chain }: Driver): Follower {
  const state = new Map<string, Uint8Array>();
  for (const { key, value } of chain.genesis.changes) if (value !== undefined) state.set(key, value);
  const machine = machineAtGenesis(chain.genesis, { get: (key) => state.get(key) });
  const head = { id: chain.genesis.block.id, header: chain.genesis.block.header };
  const { validators } = chain;
  return new Follower({
    machine,
    validators,
    head,
    pollMs: POLL_MS,
    retryMs: RETRY_MS,
    fetchTimeoutMs: FETCH_MS,
  });
}

const REFUSAL = { code: 'fetch-unserved', message: '', details: {} };

function fetchesOf(effects: ReturnType<Follower['step']>) {
  return effects.flatMap((effect) => (effect.kind === 'fetch' ? [effect] : []));
}

describe('a follower', () => {
  const { driver, height, stateRoot, blocks } = chainOfFive();
  const [first, second, ...rest] = blocks as [VerifiedSealedBlock, VerifiedSealedBlock, ...VerifiedSealedBlock[]];

  it('executes sealed blocks in the order of their heights, in whatever order they come', () => {
    const follower = followerOf(driver);
    follower.step({ kind: 'started' }, 0);
    for (const block of [...rest, second]) {
      expect(follower.step({ kind: 'sealed', blocks: [block] }, 1).some(({ kind }) => kind === 'commit')).toBe(false);
    }
    const [commit] = follower.step({ kind: 'sealed', blocks: [first] }, 2);
    expect(commit?.kind === 'commit' ? commit.blocks.map(({ block }) => block.id) : []).toEqual(
      blocks.map(({ block }) => block.id),
    );
    expect(follower.status()).toMatchObject({ engine: 'follower', height, stateRoot, idle: true });
  });

  it('asks at once for what is missing below a block that it holds, and then another server', () => {
    const follower = followerOf(driver);
    follower.step({ kind: 'started' }, 0);
    follower.step({ kind: 'sealed', blocks: [first] }, 1);
    follower.step({ kind: 'fetchFailed', request: 1, refusal: REFUSAL }, 2);
    const last = rest.at(-1) as VerifiedSealedBlock;
    const nowMs = 2 + RETRY_MS;
    const [asked] = fetchesOf(follower.step({ kind: 'sealed', blocks: [last] }, nowMs));
    expect(asked?.what).toEqual({ kind: 'sealed', fromHeight: 2 });
    expect(fetchesOf(follower.step({ kind: 'tick' }, nowMs + 1))).toEqual([]);
    expect(follower.wakeAtMs()).toBe(nowMs + FETCH_MS);
    const [again] = fetchesOf(follower.step({ kind: 'tick' }, nowMs + FETCH_MS));
    expect(again?.what).toEqual({ kind: 'sealed', fromHeight: 2 });
    expect(again?.from).not.toEqual(asked?.from);
    expect(follower.status().idle).toBe(false);
  });

  it('pauses after a question that brought nothing, also where something is missing', () => {
    const follower = followerOf(driver);
    follower.step({ kind: 'started' }, 0);
    follower.step({ kind: 'sealed', blocks: rest }, 1);
    expect(fetchesOf(follower.step({ kind: 'fetchFailed', request: 1, refusal: REFUSAL }, 2))).toEqual([]);
    expect(follower.wakeAtMs()).toBe(2 + RETRY_MS);
    expect(fetchesOf(follower.step({ kind: 'tick' }, 1 + RETRY_MS))).toEqual([]);
    expect(fetchesOf(follower.step({ kind: 'tick' }, 2 + RETRY_MS))).toHaveLength(1);
  });

  it('asks again at once while answers bring something, so that a long way is gone without a pause', () => {
    const follower = followerOf(driver);
    const [asked] = fetchesOf(follower.step({ kind: 'started' }, 0));
    const [next] = fetchesOf(follower.step({ kind: 'sealed', blocks: [first], request: asked?.request ?? 0 }, 1));
    expect(next?.what).toEqual({ kind: 'sealed', fromHeight: 2 });
    const [last] = fetchesOf(
      follower.step({ kind: 'sealed', blocks: [second, ...rest], request: next?.request ?? 0 }, 2),
    );
    expect(last?.what).toEqual({ kind: 'sealed', fromHeight: height + 1 });
    expect(fetchesOf(follower.step({ kind: 'fetchFailed', request: last?.request ?? 0, refusal: REFUSAL }, 3))).toEqual(
      [],
    );
    expect(follower.wakeAtMs()).toBe(2 + POLL_MS);
  });

  it('asks others soon where servers do not answer, and not soon where they have nothing newer', () => {
    const follower = followerOf(driver);
    follower.step({ kind: 'started' }, 0);
    const away = { code: 'dial-failed', message: 'nobody listens', details: {} };
    follower.step({ kind: 'fetchFailed', request: 1, refusal: away }, 2);
    expect(follower.wakeAtMs()).toBe(2 + RETRY_MS);
    const [asked] = fetchesOf(follower.step({ kind: 'tick' }, 2 + RETRY_MS));
    const nothing = { code: 'fetch-unserved', message: 'no later block', details: {} };
    follower.step({ kind: 'fetchFailed', request: asked?.request ?? 0, refusal: nothing }, 3 + RETRY_MS);
    expect(follower.wakeAtMs()).toBe(2 + RETRY_MS + POLL_MS);
  });

  it('has one question in flight, whatever gossip brings meanwhile', () => {
    const follower = followerOf(driver);
    expect(fetchesOf(follower.step({ kind: 'started' }, 0))).toHaveLength(1);
    for (const block of blocks) expect(fetchesOf(follower.step({ kind: 'sealed', blocks: [block] }, 1))).toEqual([]);
    expect(follower.wakeAtMs()).toBe(FETCH_MS);
    expect(fetchesOf(follower.step({ kind: 'tick' }, FETCH_MS))).toEqual([]);
    expect(follower.wakeAtMs()).toBe(1 + POLL_MS);
  });

  it('asks soon, and not too often, when blocks are announced that do not hold', () => {
    const follower = followerOf(driver);
    follower.step({ kind: 'started' }, 0);
    follower.step({ kind: 'fetchFailed', request: 1, refusal: REFUSAL }, 1);
    expect(fetchesOf(follower.step({ kind: 'announced' }, 2))).toEqual([]);
    expect(follower.wakeAtMs()).toBe(1 + RETRY_MS);
    const [asked] = fetchesOf(follower.step({ kind: 'announced' }, 1 + RETRY_MS));
    follower.step({ kind: 'fetchFailed', request: asked?.request ?? 0, refusal: REFUSAL }, 2 + RETRY_MS);
    expect(fetchesOf(follower.step({ kind: 'announced' }, 3 + RETRY_MS))).toEqual([]);
  });

  it('asks for the next height now and then, as the last block may have been lost', () => {
    const follower = followerOf(driver);
    follower.step({ kind: 'started' }, 0);
    follower.step({ kind: 'fetchFailed', request: 1, refusal: REFUSAL }, 5);
    follower.step({ kind: 'sealed', blocks }, 10);
    expect(follower.wakeAtMs()).toBe(10 + POLL_MS);
    const [asked] = fetchesOf(follower.step({ kind: 'tick' }, 10 + POLL_MS));
    expect(asked?.what).toEqual({ kind: 'sealed', fromHeight: height + 1 });
    follower.step({ kind: 'sealed', blocks: [], request: asked?.request ?? 0 }, 20 + POLL_MS);
    expect(follower.wakeAtMs()).toBe(20 + 2 * POLL_MS);
  });

  it('stops rather than go on from a block that gives another root than its seal covers', () => {
    const follower = followerOf(driver);
    const { block, events } = first;
    const wrong = { ...first, block: { ...block, header: { ...block.header, stateRoot: second.block.id } }, events };
    expect(() => follower.step({ kind: 'sealed', blocks: [wrong] }, 0)).toThrow('the root that its seal covers');
  });
});

describe('the buffer of sealed blocks', () => {
  const blockAt = (height: number) => ({ block: { header: { height } } }) as VerifiedSealedBlock;

  it('keeps a bounded number of heights above the next one, and drops what is below', () => {
    const buffer = new SealedBuffer();
    buffer.add(blockAt(1), 2);
    buffer.add(blockAt(2 + MAX_BLOCKS_AHEAD), 2);
    expect(buffer.highest).toBeUndefined();
    buffer.add(blockAt(3), 2);
    buffer.add(blockAt(1 + MAX_BLOCKS_AHEAD), 2);
    expect(buffer.highest).toBe(1 + MAX_BLOCKS_AHEAD);
    expect(buffer.take(2)).toBeUndefined();
    expect(buffer.take(4)).toBeUndefined();
    expect(buffer.take(3)).toBeUndefined(); // dropped with those below 4
    expect(buffer.highest).toBe(1 + MAX_BLOCKS_AHEAD);
  });
});
