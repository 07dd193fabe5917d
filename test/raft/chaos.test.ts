/**
 * Losses, delays, partitions, crashes, disks that stand still, snapshots and configuration changes, by a seed: whatever
 * happens, `Watch` holds; and once all is healed, everybody applies the same. A small brother of the simulator.
 */
import { expect, it } from 'vitest';
import { Random } from '../../src/base/random.ts';
import { Cluster } from './cluster.ts';

const SEEDS = process.env['LONG'] === '1' ? 400 : 30;
const PHASES = 6;

class Chaos {
  readonly #random: Random;
  readonly cluster: Cluster;
  #proposals = 0;

  constructor(seed: number) {
    this.#random = new Random(seed);
    const random = this.#random;
    this.cluster = Cluster.started({
      seed,
      voters: random.pick([1, 2, 3, 3, 3, 4, 5]),
      nonvoters: random.pick([0, 0, 1, 2]),
      blank: random.pick([0, 0, 1]),
      latencyMs: random.pick([1, 5, 20]),
      diskMs: random.pick([0, 1, 10]),
      timings: random.pick([{}, {}, { leaseMs: 1000 }, { heartbeatMs: 200, electionMs: 200, leaseMs: 100 }]),
      limits: {
        trailingEntries: random.pick([0, 3, 1000]),
        maxAppendEntries: random.pick([1, 3, 64]),
        maxInFlight: random.pick([1, 2, 16]),
        maxCachedBytes: random.pick([0, 500, 1 << 20]),
      },
    });
  }

  run(): void {
    const { cluster } = this;
    for (let phase = 0; phase < PHASES; phase++) {
      this.#disturb();
      for (let i = 0; i < 8; i++) this.#act();
      cluster.compareLogs();
    }
    cluster.heal();
    for (const { id, engine } of cluster.servers) {
      cluster.resumeDisk(id);
      if (engine === null) cluster.start(id);
    }
    cluster.run(5000);
    const last = this.#propose(cluster.waitForLeader());
    const members = (): string[] => {
      const leader = cluster.leader();
      const servers = leader === undefined ? [] : cluster.status(leader).configuration.configuration.servers;
      return servers.map(({ id }) => id);
    };
    cluster.runUntil('all members have applied the last command', () => {
      const ids = members();
      return ids.length > 0 && ids.every((id) => cluster.commands(id).includes(last));
    });
    cluster.compareLogs();
    const [first, ...others] = members().map((id) => cluster.commands(id).join(' '));
    for (const other of others) expect(other).toBe(first);
  }

  #propose(id: string): string {
    const text = `c${++this.#proposals}`;
    this.cluster.propose(id, text);
    return text;
  }

  #disturb(): void {
    const { cluster } = this;
    const random = this.#random;
    const probability = random.pick([0, 0, 0.05, 0.3]);
    cluster.lose('some', () => random.chance(probability));
    cluster.delay('some', () => (random.chance(0.1) ? random.below(random.pick([10, 100, 2000])) : 0));
    const order = random.shuffled(cluster.ids);
    const cut = random.chance(0.4) ? random.below(order.length) : 0;
    cluster.partition(order.slice(0, cut), order.slice(cut));
    for (const { id, isStalled } of cluster.servers) {
      if (isStalled) cluster.resumeDisk(id);
      else if (random.chance(0.1)) cluster.stallDisk(id);
    }
  }

  #act(): void {
    const { cluster } = this;
    const random = this.#random;
    const leader = random.chance(0.8) ? cluster.leader() : this.#someLeader();
    const { id, engine } = random.pick(cluster.servers);
    if (random.chance(0.1)) {
      if (engine === null) cluster.start(id);
      else cluster.crash(id);
    }
    if (random.chance(0.2) && cluster.canSnapshot(id)) cluster.snapshot(id);
    if (leader !== undefined && cluster.server(leader).engine !== null) this.#actOn(leader);
    cluster.run(random.pick([5, 50, 500, 3000]));
  }

  /** Perhaps one that was deposed and does not know. */
  #someLeader(): string | undefined {
    const { cluster } = this;
    const leaders = cluster.up.filter(({ id }) => cluster.status(id).role === 'leader');
    return leaders.length === 0 ? undefined : this.#random.pick(leaders).id;
  }

  #actOn(leader: string): void {
    const { cluster } = this;
    const random = this.#random;
    for (let i = random.below(8); i > 0; i--) this.#propose(leader);
    for (let i = random.below(3); i > 0; i--) cluster.readIndex(leader);
    if (random.chance(0.1)) cluster.transfer(leader);
    if (!random.chance(0.2)) return;
    const id = random.pick(cluster.ids);
    const address = `${id}:1`;
    const kind = random.pick(['addVoter', 'addVoter', 'addNonvoter', 'demoteVoter', 'removeServer'] as const);
    // Whoever adds a server keeps the operators' lists: a server that is far behind knows it by nothing else.
    for (const { listed } of cluster.servers) listed.add(id);
    cluster.change(leader, { kind, id, address });
  }
}

it.each(Array.from({ length: SEEDS }, (_, index) => index + 1))('chaos of seed %i contradicts nothing', (seed) => {
  new Chaos(seed).run();
});
