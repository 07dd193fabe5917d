import { expect, it } from 'vitest';
import { toHex } from '../../src/base/bytes.ts';
import type { Effect } from '../../src/consensus/engine.ts';
import type { HotstuffMessage } from '../../src/hotstuff/messages.ts';
import { encodeMessage } from '../../src/hotstuff/wire.ts';
import type { CollectJob } from '../../src/qc/collect.ts';
import { joinOf } from './chain.ts';
import { Driver } from './driver.ts';

/** Losses, a silent leader, a crash and a restart. */
function eventfulHour(): Driver {
  const driver = Driver.started({ n: 4 });
  driver.lose('some', ({ kind, round, to }) => kind === 'proposal' && round % 5 === 3 && to === 0);
  for (let i = 1; i <= 10; i++) {
    driver.submit(i % 3, joinOf(driver.chain, i));
    driver.run(3 * i);
    if (i === 4) driver.crash(3);
    if (i === 8) driver.start(3);
  }
  driver.settle();
  return driver;
}

function textOf(effect: Effect<HotstuffMessage, CollectJob>): string {
  const isSigned = effect.kind === 'send';
  const message = isSigned ? toHex(encodeMessage(effect.message)) : '';
  return message + JSON.stringify(effect, (_, value: unknown) => (value instanceof Uint8Array ? toHex(value) : value));
}

it('an engine run twice on the same inputs gives the same bytes', () => {
  const [first, second] = [eventfulHour(), eventfulHour()];
  expect(first.trace).toEqual(second.trace);
  for (const { index, effects } of first.nodes) {
    expect(effects.map(textOf)).toEqual(second.node(index).effects.map(textOf));
    expect(effects.length).toBeGreaterThan(50);
  }
});
