/**
 * Programs that know the next event schema beside programs that do not: the older ones vote up to the last height that they
 * understand, stop there, and go on from there once they are upgraded.
 */
import { describe, expect, it } from 'vitest';
import { unwrap } from '../../src/base/result.ts';
import type { ValidatorIndex } from '../../src/consensus/engine.ts';
import { Follower } from '../../src/consensus/follower.ts';
import { replacedDigest } from '../../src/ledger/actions.ts';
import { decodeSealedBlock } from '../../src/ledger/block.ts';
import { eventSchemaAt, MIN_ACTIVATION_NOTICE } from '../../src/ledger/event-schema-at.ts';
import { nodeEntryCodec } from '../../src/ledger/record.ts';
import { nodeKey } from '../../src/ledger/state.ts';
import { joinedFields } from '../ledger/nodes.ts';
import { eventOf, joinOf, peerOf } from './chain.ts';
import { admitSealed } from './admitting.ts';
import { Driver, TEST_PACING } from './driver.ts';
import { engineOn } from './start-engine.ts';
import { TestDisk } from './test-disk.ts';

/** Validators `older` run a program of schema 1. */
function network(n: number, older: readonly ValidatorIndex[], depth: 2 | 3 = 2): Driver {
  const driver = new Driver({ n, depth });
  for (const index of older) driver.node(index).newestSchema = 1;
  for (const { index } of driver.nodes) driver.start(index);
  driver.run(20);
  return driver;
}

const seconds = (driver: Driver) => Math.floor(driver.nowMs / 1000);

/** A quorum decides on schema 2, from the nearest height that is allowed. @returns that height */
function decide(driver: Driver, at: ValidatorIndex = 0): number {
  const { chain } = driver;
  const { machine } = driver.node(at);
  const { members, quorum } = chain.validators;
  // The proposal and the approvals are in one block or in two.
  const fromHeight = machine.head.height + 12 + MIN_ACTIVATION_NOTICE;
  const action = { kind: 'schemaActivated', schema: 2, fromHeight } as const;
  const [proposer, ...others] = members.map(({ peerId }) => peerId) as [string, ...string[]];
  const base = { seq: driver.nowMs, time: seconds(driver) };
  const proposal = eventOf(chain.chainId, {
    ...{ type: 'proposed', peerId: proposer, ...base, action, epoch: 0 },
    ...{ replaces: unwrap(replacedDigest(machine.head, action)), expires: seconds(driver) + 3600 },
  });
  driver.submit(at, proposal);
  driver.settle();
  for (const peerId of others.slice(0, quorum - 1)) {
    driver.submit(at, eventOf(chain.chainId, { type: 'approved', peerId, ...base, proposal: proposal.id }));
  }
  driver.settle();
  expect(eventSchemaAt(machine.head, fromHeight)).toBe(2);
  return fromHeight;
}

let nodes = 1;

/** One block after another until this holds, under load. */
function goOn(driver: Driver, what: string, until: () => boolean, at: ValidatorIndex = 0): void {
  for (let i = 0; i < 400 && !until(); i++) {
    driver.submit(at, joinOf(driver.chain, (nodes += 1), seconds(driver)));
    driver.run(40);
  }
  expect([what, until()]).toEqual([what, true]);
}

const heightOf = (driver: Driver, index: ValidatorIndex) => driver.node(index).machine.head.height;
const status = (driver: Driver, index: ValidatorIndex) => driver.engine(index).status();

function joinsAsLlm(driver: Driver, number: number) {
  const peerId = peerOf(1_000_000 + number);
  const fields = joinedFields(peerId, 1, { schema: 2, isLlmServer: true, time: seconds(driver) });
  return { peerId, event: eventOf(driver.chain.chainId, fields) };
}

/** What its program cannot know, a validator never signs. */
function votesFrom(driver: Driver, index: ValidatorIndex, height: number): number {
  const sealed = driver.node(0).disk.sealed[height];
  expect(sealed).toBeDefined();
  const { round } = unwrap(decodeSealedBlock(driver.chain.chainId, sealed as Uint8Array)).block.header;
  return [...driver.watch.sent].filter(([ballot]) => {
    const [by, kind, of] = ballot.split(' ');
    return Number(by) === index && kind === 'vote' && Number(of) >= round;
  }).length;
}

describe.each([2, 3] as const)('at commit depth %i, a validator of an older program', (depth) => {
  it('stops at the last height that it understands, and the others go on', () => {
    const driver = network(4, [3], depth);
    const fromHeight = decide(driver);
    goOn(driver, 'the first block of the new schema is final', () => heightOf(driver, 0) >= fromHeight + 3);
    driver.runUntil('the older one has stopped', () => status(driver, 3).silentBecause !== null);
    expect(status(driver, 3)).toMatchObject({
      height: fromHeight - 1,
      silentBecause: 'this program does not know event schema 2: upgrade it',
    });
    expect(votesFrom(driver, 3, fromHeight)).toBe(0);
    const llm = joinsAsLlm(driver, 1);
    driver.submit(0, llm.event);
    goOn(driver, 'it is in the state', () => driver.node(0).machine.get(nodeKey(llm.peerId)) !== undefined);
    expect(nodeEntryCodec.decodeOwn(driver.node(0).machine.get(nodeKey(llm.peerId))!)).toMatchObject({
      isLlmServer: true,
    });
  });

  it('goes on where it stopped once it is upgraded, and votes again', () => {
    const driver = network(4, [3], depth);
    const fromHeight = decide(driver);
    goOn(driver, 'some blocks of the new schema are final', () => heightOf(driver, 0) >= fromHeight + 5);
    driver.restart(3); // the same program again
    driver.run(2000);
    expect(heightOf(driver, 3)).toBe(fromHeight - 1);
    driver.node(3).newestSchema = 2;
    driver.restart(3);
    goOn(driver, 'it is at the head', () => heightOf(driver, 3) >= fromHeight + 6);
    driver.settle();
    expect(status(driver, 3)).toMatchObject({
      stateRoot: status(driver, 0).stateRoot,
      silentBecause: null,
    });
    driver.crash(2); // now its votes are needed
    const height = heightOf(driver, 0);
    goOn(driver, 'blocks become final with its votes', () => heightOf(driver, 0) > height + 2);
    expect(votesFrom(driver, 3, height + 1)).toBeGreaterThan(0);
  });
});

describe('a validator that can read no proposal from that height on', () => {
  it('reaches the last height that it understands all the same', () => {
    const driver = network(4, [3]);
    const fromHeight = decide(driver);
    driver.lose('undecodable', ({ message, to }) => {
      return to === 3 && message?.kind === 'proposal' && message.block.header.height >= fromHeight;
    });
    goOn(driver, 'blocks of the new schema are final', () => heightOf(driver, 0) >= fromHeight + 3);
    driver.runUntil('it has stopped', () => status(driver, 3).silentBecause !== null);
    expect(heightOf(driver, 3)).toBe(fromHeight - 1);
    expect(votesFrom(driver, 3, fromHeight)).toBe(0);
  });
});

describe('too many validators of an older program', () => {
  it('stop the network before the new schema, and one of them that is upgraded brings it back', () => {
    const driver = network(4, [2, 3]);
    const fromHeight = decide(driver);
    for (let i = 0; i < 120; i++) {
      driver.submit(0, joinOf(driver.chain, (nodes += 1), seconds(driver)));
      driver.run(40);
    }
    expect([0, 1, 2, 3].map((index) => heightOf(driver, index) < fromHeight)).toEqual([true, true, true, true]);
    driver.node(2).newestSchema = 2;
    driver.restart(2);
    goOn(driver, 'blocks of the new schema are final', () => heightOf(driver, 0) >= fromHeight + 3);
    driver.runUntil('the other has stopped', () => status(driver, 3).silentBecause !== null);
    driver.node(3).newestSchema = 2;
    driver.restart(3);
    goOn(driver, 'all are at one height', () => heightOf(driver, 3) > fromHeight + 3);
    driver.settle();
    const roots = new Set(driver.nodes.map(({ machine }) => machine.head.stateRoot));
    expect(roots.size).toBe(1);
  });
});

describe('a stopped validator', () => {
  it('refuses what is submitted to it, and answers those that start again', () => {
    const driver = network(4, [3]);
    const fromHeight = decide(driver);
    goOn(driver, 'it has stopped', () => heightOf(driver, 0) > fromHeight && status(driver, 3).silentBecause !== null);
    const join = joinOf(driver.chain, (nodes += 1), seconds(driver));
    const effects = driver.engine(3).step({ kind: 'submitted', events: [join] }, driver.nowMs);
    expect(effects).toMatchObject([{ kind: 'rejected', event: join.id, refusal: { code: 'schema-not-known' } }]);
    driver.crash(1);
    driver.crash(2);
    driver.start(1); // a quorum that it can ask is 0, itself and the one that stopped
    driver.start(2);
    const height = heightOf(driver, 0);
    goOn(driver, 'they vote again', () => heightOf(driver, 0) > height + 2);
  });
});

describe('an observer of an older program', () => {
  it('stops following before a schema that it does not know, with all that it had', () => {
    const driver = network(4, []);
    const fromHeight = decide(driver);
    goOn(driver, 'blocks of the new schema are final', () => heightOf(driver, 0) >= fromHeight + 3);
    const { chain } = driver;
    const sealed = driver
      .node(0)
      .disk.sealed.slice(1)
      .map((bytes) => admitSealed(chain, bytes));
    const disk = new TestDisk(chain);
    const { machine } = engineOn(chain, disk, { self: 0, pacing: TEST_PACING, silence: null, newestSchema: 1 });
    const { block } = chain.genesis;
    const pace = { pollMs: 5000, retryMs: 500, fetchTimeoutMs: 1000 };
    const follower = new Follower({ machine, validators: chain.validators, head: block, ...pace });
    follower.step({ kind: 'started' }, 0);
    const [commit] = follower.step({ kind: 'sealed', blocks: sealed }, 1);
    expect(commit?.kind === 'commit' ? commit.blocks.length : 0).toBe(fromHeight - 1);
    expect(follower.status()).toMatchObject({
      height: fromHeight - 1,
      silentBecause: 'this program does not know event schema 2: upgrade it',
    });
    expect(follower.step({ kind: 'announced' }, 60_000)).toEqual([]);
    expect(follower.wakeAtMs()).toBeUndefined();
  });
});
