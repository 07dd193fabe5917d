import { describe, expect, it } from 'vitest';
import { MAX_TIMEOUT_MS, Pacemaker, timeoutMs } from '../../src/hotstuff/pacemaker.ts';

const BASE_MS = 1000;

function pacemakerAt(certificateRound: number, timeoutRound: number, elapsedMs: number): Pacemaker {
  const pacemaker = new Pacemaker(BASE_MS);
  pacemaker.follow(certificateRound, timeoutRound, elapsedMs);
  return pacemaker;
}

describe('the round', () => {
  it('jumps to one above the highest certificate of either kind', () => {
    const pacemaker = new Pacemaker(BASE_MS);
    expect(pacemaker.follow(0, 0, 0)).toBe(true);
    expect(pacemaker.round).toBe(1);
    expect(pacemaker.follow(1000, 0, 5)).toBe(true);
    expect(pacemaker.round).toBe(1001);
    expect(pacemaker.follow(1000, 2000, 6)).toBe(true);
    expect(pacemaker.round).toBe(2001);
    expect(pacemaker.follow(1500, 2000, 7)).toBe(false);
    expect(pacemaker.round).toBe(2001);
  });
});

describe('the timer', () => {
  it('grows by a fifth with each failed round since the last certificate, up to a minute', () => {
    expect(timeoutMs(BASE_MS, 0)).toBe(1000);
    expect(timeoutMs(BASE_MS, 1)).toBe(1200);
    expect(timeoutMs(BASE_MS, 5)).toBe(2488);
    expect(timeoutMs(BASE_MS, 10_000)).toBe(MAX_TIMEOUT_MS);
  });

  it('does not run while there is nothing to agree on', () => {
    const pacemaker = pacemakerAt(3, 0, 0);
    expect(pacemaker.expiresAtMs).toBeUndefined();
    expect(pacemaker.hasExpired(1e9)).toBe(false);
  });

  it('runs from entering the round when the replica is busy already', () => {
    const pacemaker = pacemakerAt(3, 0, 0);
    pacemaker.setBusy(true, 0);
    pacemaker.follow(4, 0, 500);
    expect(pacemaker.expiresAtMs).toBe(1500);
  });

  it('runs from becoming busy when the round was entered long ago', () => {
    const pacemaker = pacemakerAt(3, 0, 0);
    pacemaker.setBusy(false, 10);
    pacemaker.setBusy(true, 3_600_000);
    pacemaker.setBusy(true, 3_600_400);
    expect(pacemaker.expiresAtMs).toBe(3_601_000);
    expect(pacemaker.hasExpired(3_600_999)).toBe(false);
    expect(pacemaker.hasExpired(3_601_000)).toBe(true);
  });

  it('is shorter again when a late certificate shows that fewer rounds failed', () => {
    const pacemaker = pacemakerAt(3, 8, 0);
    pacemaker.setBusy(true, 0);
    expect(pacemaker.expiresAtMs).toBe(timeoutMs(BASE_MS, 5));
    pacemaker.follow(8, 8, 100);
    expect(pacemaker.expiresAtMs).toBe(1000);
  });

  it('asks for the timeout again, once a base timeout, until the round ends', () => {
    const pacemaker = pacemakerAt(3, 0, 0);
    pacemaker.setBusy(true, 0);
    pacemaker.gaveUp(1000);
    expect(pacemaker.hasGivenUp).toBe(true);
    expect(pacemaker.expiresAtMs).toBe(2000);
    pacemaker.gaveUp(2000);
    expect(pacemaker.expiresAtMs).toBe(3000);
    pacemaker.follow(3, 4, 2500);
    expect(pacemaker.hasGivenUp).toBe(false);
    expect(pacemaker.expiresAtMs).toBe(2500 + timeoutMs(BASE_MS, 1));
  });
});
