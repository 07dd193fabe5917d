/**
 * Losses, delays, partitions, crashes and clocks that jump, by a seed: whatever happens, `Watch` holds; and once all is
 * healed, everybody commits the same and is idle. A small brother of the simulator, which stands on the shell as well.
 */
import { expect, it } from 'vitest';
import { Random } from '../../src/base/random.ts';
import { changeOf, joinOf } from './chain.ts';
import { Driver } from './driver.ts';

const SEEDS = process.env['LONG'] === '1' ? 300 : 24;
const PHASES = 6;
const NODES = 20;

class Chaos {
  readonly #random: Random;
  readonly #sequence = new Map<number, number>();
  readonly driver: Driver;

  constructor(seed: number) {
    this.#random = new Random(seed);
    this.driver = Driver.started({ n: this.#random.pick([4, 4, 5, 6, 7, 10]), depth: this.#random.pick([2, 3]) });
  }

  run(): void {
    for (let phase = 0; phase < PHASES; phase++) {
      this.#disturb();
      for (let i = 0; i < 8; i++) this.#act();
    }
    const { driver } = this;
    driver.heal();
    for (const { index, engine } of driver.nodes) if (engine === null) driver.start(index);
    driver.run(100);
    this.#submit();
    driver.settle(400_000);
    driver.runUntil(
      'all are equal',
      () => new Set(driver.nodes.map((node) => node.engine?.status().headId)).size === 1,
    );
  }

  #disturb(): void {
    const { driver } = this;
    const random = this.#random;
    const probability = random.pick([0, 0.05, 0.2, 0.5]);
    driver.lose('some', () => random.chance(probability));
    const kind = random.pick(['vote', 'proposal', 'timeout', 'certificate', 'timeoutCertificate', 'fetch', 'events']);
    driver.lose('most of a kind', (passage) => passage.kind === kind && random.chance(random.pick([0, 0.9])));
    const order = random.shuffled(driver.nodes.map(({ index }) => index));
    const cut = random.chance(0.3) ? random.below(order.length) : 0;
    driver.partition(order.slice(0, cut), order.slice(cut));
    driver.delay('some', () => (random.chance(0.1) ? random.below(random.pick([10, 100, 3000])) : 0));
  }

  #act(): void {
    const { driver } = this;
    const random = this.#random;
    if (random.chance(0.7)) this.#submit();
    if (random.chance(0.15)) {
      const { index, engine } = random.pick(driver.nodes);
      if (engine === null) driver.start(index);
      else driver.crash(index);
    }
    if (random.chance(0.05)) driver.node(0).clockOffsetMs = -random.below(3_600_000);
    if (random.chance(0.02)) {
      const backMs = random.below(3_600_000);
      for (const node of driver.nodes) node.clockOffsetMs -= backMs;
    }
    driver.run(random.below(random.pick([20, 200, 3000])));
  }

  #submit(): void {
    const up = this.driver.nodes.filter(({ engine }) => engine !== null);
    if (up.length === 0) return;
    const node = this.#random.below(NODES);
    const seq = (this.#sequence.get(node) ?? 0) + 1;
    this.#sequence.set(node, seq);
    const time = Math.floor(this.driver.nowMs / 1000);
    const { chain } = this.driver;
    const event = seq === 1 ? joinOf(chain, node, time) : changeOf(chain, node, seq, time);
    this.driver.submit(this.#random.pick(up).index, event);
  }
}

it.each(Array.from({ length: SEEDS }, (_, seed) => seed))('seed %i', (seed) => {
  const chaos = new Chaos(seed);
  chaos.run();
  // Nothing is committed where all clocks were set back so far that no event's time has come.
  expect(new Set(chaos.driver.nodes.map(({ engine }) => engine?.status().stateRoot)).size).toBe(1);
});
