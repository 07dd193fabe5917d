import { describe, expect, it } from 'vitest';
import type { AdmittedMessage } from '../../src/hotstuff/messages.ts';
import { decodeStoredBlock } from '../../src/hotstuff/stored-block.ts';
import { unwrap } from '../../src/base/result.ts';
import { decodeSealedBlock } from '../../src/ledger/block.ts';
import { joinOf } from './chain.ts';
import { admitSealed } from './admitting.ts';
import { Driver } from './driver.ts';
import { signedCertificate } from './signing.ts';

function now(driver: Driver): number {
  return Math.floor(driver.nowMs / 1000);
}

/** Validator 3 sees nothing of what the others commit. */
function withLaggard(events: number): Driver {
  const driver = Driver.started({ n: 4 });
  driver.partition([0, 1, 2], [3]);
  for (let i = 1; i <= events; i++) {
    driver.submit(0, joinOf(driver.chain, i, now(driver)));
    driver.runUntil('it is committed', () => driver.engine(0).status().idle);
  }
  return driver;
}

function fetchesOf(driver: Driver, index: number) {
  return driver.node(index).effects.flatMap((effect) => (effect.kind === 'fetch' ? [effect] : []));
}

describe('a laggard', () => {
  it('takes committed blocks by height and the rest by id, from those that have them', () => {
    const driver = withLaggard(40);
    driver.heal();
    driver.submit(0, joinOf(driver.chain, 99, now(driver)));
    driver.settle();
    expect(driver.engine(3).status()).toEqual({
      ...driver.engine(0).status(),
      lastVotedRound: driver.engine(3).status().lastVotedRound,
      lockedRound: driver.engine(3).status().lockedRound,
    });
    expect(new Set(fetchesOf(driver, 3).map(({ what }) => what.kind))).toContain('sealed');
  });

  it('gets there though servers are silent or do not have it: all validators are asked in turn, signers first', () => {
    const driver = withLaggard(10);
    driver.heal();
    driver.lose('fetch', ({ kind, from, to }) => kind === 'fetch' && from === 3 && to !== 2);
    driver.submit(0, joinOf(driver.chain, 99, now(driver)));
    driver.settle();
    driver.runUntil('it is there', () => driver.engine(3).status().height === driver.engine(0).status().height);
    expect(new Set(fetchesOf(driver, 3).flatMap(({ from }) => from))).toEqual(new Set([0, 1, 2]));
  });

  it('gets there though the signers are gone: every validator of the present set is asked', () => {
    const driver = Driver.started({ n: 7 });
    // Validator 5 has everything, and signed none of it; 6 has nothing.
    driver.lose('votes of 5', ({ kind, from }) => kind === 'vote' && from === 5);
    driver.partition([0, 1, 2, 3, 4, 5], [6]);
    for (let i = 1; i <= 3; i++) {
      driver.submit(0, joinOf(driver.chain, i, now(driver)));
      driver.runUntil('it is committed', () => driver.engine(0).status().idle);
    }
    driver.run(100);
    driver.heal('partition');
    driver.lose('fetch', ({ kind, from, to }) => kind === 'fetch' && from === 6 && to !== 5);
    const { height } = driver.engine(0).status();
    driver.connect(0, 6);
    driver.runUntil('it is there', () => driver.engine(6).status().height >= height);
    expect(fetchesOf(driver, 6).flatMap(({ from }) => from)).toContain(5);
  });

  it('that nobody told what is committed asks by height when nobody has the block by id', () => {
    const driver = withLaggard(3);
    const { committedIds } = driver.watch;
    const top = Math.max(...committedIds.keys());
    // A certificate of a committed block which itself commits nothing: as after a gap in the rounds.
    const { block } = unwrap(decodeSealedBlock(driver.chain.chainId, driver.node(0).disk.sealed[top] as Uint8Array));
    const { round, parentId } = block.header;
    const vote = { round, blockId: block.id, parentRound: round - 2, parentId, commit: null };
    driver.partition([0], [1], [2], [3]);
    driver.lose('messages', ({ kind }) => kind !== 'fetch');
    driver.heal('partition');
    driver.step(3, received(0, signedCertificate(driver.chain, vote)));
    driver.run(20_000);
    expect(driver.engine(3).status().height).toBe(top);
  });

  it('has one request in flight for each thing', () => {
    const driver = withLaggard(10);
    driver.heal();
    driver.lose('fetch', ({ kind }) => kind === 'fetch');
    driver.submit(0, joinOf(driver.chain, 99, now(driver)));
    driver.run(900); // less than the deadline
    const things = fetchesOf(driver, 3).map(({ what }) => JSON.stringify(what));
    expect(things.length).toBe(new Set(things).size);
    expect(things.length).toBeGreaterThan(0);
  });

  it('is not misled by blocks that nobody asked for', () => {
    const driver = withLaggard(2);
    driver.heal();
    driver.lose('fetch', ({ kind }) => kind === 'fetch');
    driver.submit(0, joinOf(driver.chain, 99, now(driver)));
    driver.run(500);
    const [request] = fetchesOf(driver, 3).filter(({ what }) => what.kind === 'blocks');
    if (request === undefined) throw new TypeError('it asks for a block');
    const [stored] = driver.node(0).disk.uncommitted.values();
    const { block, justify } = unwrap(decodeStoredBlock(driver.chain.chainId, stored as Uint8Array));
    const other = { ...block, id: driver.chain.genesis.block.id };
    const message = { kind: 'blocks', blocks: [{ block: other, events: [], justify }] } as unknown as AdmittedMessage;
    driver.step(3, { kind: 'fetched', request: request.request, message });
    expect(driver.engine(3).status().uncommittedBlocks).toBe(0);
    driver.heal();
    driver.settle();
    driver.runUntil('it is there', () => driver.engine(3).status().height === driver.engine(0).status().height);
  });

  it('takes sealed blocks in any order, and those that it has already', () => {
    const driver = withLaggard(4);
    const sealed = driver
      .node(0)
      .disk.sealed.slice(1)
      .map((bytes) => admitSealed(driver.chain, bytes));
    for (const block of [...sealed].reverse()) driver.step(3, { kind: 'sealed', blocks: [block] });
    driver.step(3, { kind: 'sealed', blocks: sealed });
    const { height, stateRoot } = driver.engine(0).status();
    expect(driver.engine(3).status()).toMatchObject({ height, stateRoot, uncommittedBlocks: 0 });
    expect(driver.engine(3).status().highCertificateRound).toBeGreaterThan(height - 1); // the seals told it
  });

  it('leaves its goal where it is when a lower one is told', () => {
    const driver = withLaggard(30);
    const low = certificateNaming(driver, 4);
    const high = certificateNaming(driver, driver.engine(0).status().height);
    driver.lose('fetch', ({ kind }) => kind === 'fetch');
    driver.step(3, received(0, high));
    driver.step(3, received(1, low));
    const sealed = driver
      .node(0)
      .disk.sealed.slice(1, 8)
      .map((bytes) => admitSealed(driver.chain, bytes));
    const [asked] = driver.step(3, { kind: 'sealed', blocks: sealed });
    expect(driver.engine(3).status().height).toBe(7); // above what the lower one names
    expect(asked).toMatchObject({ kind: 'fetch', what: { kind: 'sealed', fromHeight: 8 } });
  });
});

function received(from: number, certificate: ReturnType<typeof certificateNaming>) {
  return { kind: 'received', from, message: { kind: 'certificate', certificate } as AdmittedMessage } as const;
}

/** The first that commits a block of this height or a greater one, as some node sent it. */
function certificateNaming(driver: Driver, height: number) {
  for (const effect of driver.nodes.flatMap(({ effects }) => effects)) {
    if (effect.kind !== 'cast' && effect.kind !== 'send') continue;
    const { message } = effect;
    const certificate =
      message.kind === 'proposal' ? message.justify : message.kind === 'certificate' ? message.certificate : null;
    if ((certificate?.vote.commit?.height ?? 0) >= height) return certificate;
  }
  throw new TypeError(`no certificate that names height ${height} or more was sent`);
}

describe('the tree', () => {
  it('stays small while proposals come and nothing is certified', () => {
    const driver = Driver.started({ n: 4 });
    driver.lose('votes', ({ kind }) => kind === 'vote');
    driver.submit(0, joinOf(driver.chain, 1));
    driver.run(6 * 3_600_000);
    const { round, uncommittedBlocks } = driver.engine(0).status();
    expect(round).toBeGreaterThan(200);
    expect(uncommittedBlocks).toBeLessThanOrEqual(64);
    driver.heal();
    driver.settle(300_000);
    expect(driver.node(0).disk.uncommitted.size).toBeLessThanOrEqual(2); // the losers were deleted too
  });

  it('of a long chain that does not commit gets empty blocks on top, never a refusal', () => {
    const driver = Driver.started({ n: 4 });
    // Every other round is given up, so that no two rounds in a row are certified.
    driver.lose('odd proposals', ({ kind, round }) => kind === 'proposal' && round % 2 === 1);
    for (let i = 1; i <= 100; i++) {
      driver.submit(i % 4, joinOf(driver.chain, i, now(driver)));
      driver.run(1500);
    }
    expect(driver.height).toBe(0);
    const { uncommittedBlocks } = driver.engine(0).status();
    expect(uncommittedBlocks).toBeGreaterThan(36);
    const proposals = driver.trace.filter((line) => line.includes('proposes block'));
    const sizeAt = (height: number) =>
      proposals
        .filter((line) => line.includes(`block ${height} in`))
        .map((line) => Number(/(\d+) events/.exec(line)?.[1]));
    expect(Math.max(...sizeAt(20))).toBeGreaterThan(0);
    expect(Math.max(...sizeAt(36))).toBe(0);
    driver.heal();
    driver.settle(600_000);
    expect(driver.engine(0).status().mempoolEvents).toBe(0);
  });
});
