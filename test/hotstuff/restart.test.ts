import { describe, expect, it } from 'vitest';
import { unwrap } from '../../src/base/result.ts';
import { decodeSafetyRecord } from '../../src/hotstuff/safety-record.ts';
import { changeOf, joinOf } from './chain.ts';
import { Driver } from './driver.ts';
import { TestDisk } from './test-disk.ts';

function now(driver: Driver): number {
  return Math.floor(driver.nowMs / 1000);
}

describe('a validator that starts again', () => {
  it('is where it was, catches up and votes', () => {
    const driver = Driver.started({ n: 4 });
    driver.submit(0, joinOf(driver.chain, 1));
    driver.settle();
    driver.crash(3);
    for (let i = 2; i <= 6; i++) {
      driver.submit(0, joinOf(driver.chain, i, now(driver)));
      driver.runUntil('it is committed', () => driver.engine(0).status().idle);
    }
    driver.start(3);
    driver.submit(0, joinOf(driver.chain, 9, now(driver)));
    driver.settle();
    expect(driver.engine(3).status()).toMatchObject({
      height: driver.engine(0).status().height,
      stateRoot: driver.engine(0).status().stateRoot,
      silentBecause: null,
    });
    const { round } = driver.engine(0).status();
    expect(driver.watch.sent.get(`3 vote ${round - 1}`)).toBeDefined();
  });

  it('never enters a lower round than it was in', () => {
    const driver = Driver.started({ n: 4 });
    driver.crash(2);
    driver.submit(0, joinOf(driver.chain, 1));
    driver.runUntil('a round was given up', () => driver.engine(0).status().round === 3);
    const { round, lastVotedRound, lockedRound, highCertificateRound } = driver.engine(0).status();
    expect(round).toBeGreaterThan(highCertificateRound + 1); // by a timeout certificate
    driver.crash(0);
    driver.start(0);
    expect(driver.engine(0).status().lastVotedRound).toBe(lastVotedRound);
    expect(driver.engine(0).status().lockedRound).toBe(lockedRound);
    driver.settle();
    expect(driver.height).toBeGreaterThanOrEqual(1);
  });

  it('keeps its promises at any moment of a busy time: one vote a round, no vote after a timeout', () => {
    const driver = Driver.started({ n: 4 });
    for (let i = 1; i <= 60; i++) {
      driver.submit(i % 2 === 0 ? 0 : 1, joinOf(driver.chain, i, now(driver)));
      driver.run(i % 7);
      driver.restart(2 + (i % 2)); // what it was doing is cut off
    }
    driver.settle();
    expect(driver.height).toBeGreaterThan(10);
  });

  it('with all others, loses nothing that was committed', () => {
    const driver = Driver.started({ n: 4 });
    for (let i = 1; i <= 5; i++) {
      driver.submit(0, joinOf(driver.chain, i));
      driver.run(i);
    }
    const { height } = driver.engine(0).status();
    for (const { index } of driver.nodes) driver.crash(index);
    for (const { index } of driver.nodes) driver.start(index);
    driver.run(100);
    driver.submit(1, changeOf(driver.chain, 1, 2, now(driver)));
    driver.settle();
    expect(driver.height).toBeGreaterThanOrEqual(height);
  });

  it('signs nothing before it has heard from a quorum, itself included', () => {
    const driver = new Driver({ n: 4 });
    driver.lose('testimony', ({ kind, to }) => kind === 'witness' && to === 3);
    for (const { index } of driver.nodes) driver.start(index);
    driver.submit(0, joinOf(driver.chain, 1));
    driver.settle();
    expect(driver.engine(3).status().silentBecause).toContain('quorum');
    expect([...driver.watch.sent.keys()].filter((key) => key.startsWith('3 '))).toEqual([]);
    driver.heal();
    driver.run(1000); // it asks again
    expect(driver.engine(3).status().silentBecause).toBeNull();
  });

  it('waits quietly for others that are not there', () => {
    const driver = new Driver({ n: 4 });
    driver.start(0);
    driver.run(60_000);
    expect(driver.engine(0).status()).toMatchObject({ round: 1, lastVotedRound: 0 });
  });
});

describe('a safety record', () => {
  it('that was rolled back is found out by the others, and the validator says how to recover', () => {
    const driver = Driver.started({ n: 4 });
    const backup = new TestDisk(driver.chain);
    driver.submit(0, joinOf(driver.chain, 1));
    driver.settle();
    backup.copyOf(driver.node(3).disk);
    // Votes of rounds that nobody certified, so that no certificate bears witness: the testimony must.
    driver.submit(0, joinOf(driver.chain, 2));
    driver.lose('certificates', ({ kind, from }) => kind === 'certificate' || (kind === 'proposal' && from !== 3));
    driver.run(3000);
    const { lastVotedRound } = driver.engine(3).status();
    driver.crash(3);
    driver.node(3).disk.copyOf(backup);
    expect(unwrap(decodeSafetyRecord(driver.node(3).disk.safety as Uint8Array)).lastVotedRound).toBeLessThan(
      lastVotedRound,
    );
    driver.start(3);
    driver.run(100);
    expect(driver.engine(3).status().silentBecause).toContain('Recovery');
    driver.heal();
    driver.settle();
    expect(driver.height).toBeGreaterThanOrEqual(2);
    driver.restart(3);
    driver.run(100);
    expect(driver.engine(3).status().silentBecause).toContain('Recovery');
  });

  it('that is missing means to follow and never to sign', () => {
    const driver = new Driver({ n: 4 });
    driver.node(3).disk.safety = null;
    for (const { index } of driver.nodes) driver.start(index);
    driver.run(20);
    driver.submit(0, joinOf(driver.chain, 1));
    driver.settle();
    expect(driver.engine(3).status()).toMatchObject({ height: 1 });
    expect(driver.engine(3).status().silentBecause).toContain('missing');
    expect(driver.node(3).disk.safety).toBeNull();
    expect([...driver.watch.sent.keys()].filter((key) => key.startsWith('3 '))).toEqual([]);
  });

  it('of a directory that the shell marked as restored is not used', () => {
    const driver = new Driver({ n: 4 });
    for (const index of [0, 1, 2]) driver.start(index);
    driver.start(3, { code: 'directory-restored', message: 'restored from a backup', details: {} });
    driver.submit(0, joinOf(driver.chain, 1));
    driver.settle();
    expect(driver.engine(3).status()).toMatchObject({ height: 1, silentBecause: 'restored from a backup' });
  });
});
