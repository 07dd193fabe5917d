import { describe, expect, it } from 'vitest';
import { joinOf } from './chain.ts';
import { Driver } from './driver.ts';

describe('a network without faults', () => {
  it.each([1, 2, 3, 4, 5, 6, 7])('of %i validators commits an event and is idle again', (n) => {
    const driver = Driver.started({ n });
    driver.submit(0, joinOf(driver.chain, 1));
    driver.settle();
    expect(driver.trace.filter((line) => line.includes('commits')).length).toBe(n);
    expect(driver.height).toBe(1);
  });
});
