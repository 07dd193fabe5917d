/**
 * Clusters in disorder: messages late, lost and in any order between connections, disks that stand still, servers that
 * fall, memberships that change, leaders that hand over, all at once and by the seed. `watch.ts` checks figure 3 after
 * every step, `promises.ts` what leaves a server; here: reads are linearizable, a proposal that was refused is nowhere,
 * one that is applied is applied once, and when the disorder ends the cluster works again.
 */
import { describe, expect, it } from 'vitest';
import { assert } from '../../src/base/assert.ts';
import { Random } from '../../src/base/random.ts';
import type { ConfigurationChange, RaftEffect } from '../../src/raft/contract.ts';
import { Network, type Passage } from './network.ts';
import type { Server } from './server.ts';
import { addressOf, configurationOf, idOf } from './words.ts';

const SERVERS = [1, 2, 3, 4, 5];
const STEPS = 400;
const seeds = Array.from({ length: process.env['LONG'] === '1' ? 2000 : 60 }, (_, i) => i + 1);

class Disorder {
  readonly random: Random;
  readonly network: Network;
  /** Texts by the number of the proposal, and those that are certainly in no log. */
  readonly proposed = new Map<number, string>();
  readonly refused = new Set<string>();
  /** What was committed anywhere when a read was asked for. */
  readonly #reads = new Map<number, number>();
  reads = 0;
  #numbers = 0;
  /** How often something breaks. */
  readonly #faults: number;

  constructor(seed: number) {
    this.random = new Random(seed);
    this.#faults = [0.01, 0.05, 0.15][seed % 3] ?? 0;
    const limits = {
      maxInFlight: 3,
      maxAppendEntries: 3,
      trailingEntries: seed % 3,
      maxCachedBytes: seed % 2 === 0 ? 0 : 4096,
    };
    this.network = new Network(
      {
        configuration: configurationOf([1, 2, 3]),
        outside: [4, 5],
        callTimeoutMs: 700,
        server: { limits, seed },
      },
      { onEffect: (server, effect) => this.#hear(server, effect) },
    );
    for (const number of SERVERS) this.network.start(number);
  }

  #hear(server: Server, effect: RaftEffect): void {
    if (effect.kind === 'refusedProposal' && effect.refusal.code !== 'leadership-lost')
      this.refused.add(this.proposed.get(effect.number) ?? '');
    if (effect.kind === 'readReady') {
      const atLeast = this.#reads.get(effect.request) ?? 0;
      assert(effect.index >= atLeast, 'a read sees all that was committed when it was asked for', {
        server: server.number,
        index: effect.index,
        atLeast,
      });
      this.reads++;
    }
  }

  /** Time passes, more or less the same for all, and most messages arrive; now and then something else happens. */
  step(): void {
    const { random, network } = this;
    const ms = random.below(random.chance(0.05) ? 400 : 25);
    for (const number of SERVERS) network.tick(number, random.below(ms + 1));
    this.#deliverSome();
    const server = network.server(random.pick(SERVERS));
    if (random.chance(0.5)) this.#onServer(random.chance(0.6) ? (network.leader() ?? server) : server);
    if (random.chance(this.#faults)) this.#fault(random.chance(0.3) ? (network.leader() ?? server) : server);
  }

  /** The oldest messages of some connections: those of one keep their order. */
  #deliverSome(): void {
    const { random, network } = this;
    for (let left = random.below(3 * network.waiting.length + 1); left > 0 && network.waiting.length > 0; left--) {
      const { waiting } = network;
      const chosen = random.pick(waiting);
      const first = waiting.find((passage) => isSameConnection(passage, chosen));
      if (random.chance(0.01)) network.discard((passage) => passage === first);
      else network.deliver((passage) => passage === first);
    }
  }

  #onServer(server: Server): void {
    if (!server.isUp) return;
    const { random } = this;
    const request = ++this.#numbers;
    const dice = random.below(10);
    if (dice < 5) this.propose(server);
    else if (dice < 7) this.read(server);
    else if (dice < 8) server.step({ kind: 'transferLeadership', request, to: this.#someone() });
    else server.step({ kind: 'changeConfiguration', request, change: this.#change() });
  }

  propose(server: Server): string {
    const number = ++this.#numbers;
    const text = `p${number}`;
    this.proposed.set(number, text);
    server.step({ kind: 'propose', proposals: [{ number, type: 0, data: new TextEncoder().encode(text) }] });
    return text;
  }

  /** To whoever leads, until one takes it. */
  proposeAtLast(): string {
    for (let tries = 0; ; tries++) {
      assert(tries < 50, 'a cluster that works takes a proposal', {});
      const text = this.propose(this.network.elect());
      this.network.run(200);
      if (!this.refused.has(text)) return text;
    }
  }

  read(server: Server): void {
    const request = ++this.#numbers;
    this.#reads.set(request, this.network.watch.committedIndex);
    server.step({ kind: 'readIndex', request });
  }

  #someone(): string | null {
    return this.random.chance(0.5) ? null : idOf(this.random.pick(SERVERS));
  }

  #change(): ConfigurationChange {
    const number = this.random.pick(SERVERS);
    const [id, address] = [idOf(number), addressOf(number)];
    const kind = this.random.pick(['addNonvoter', 'addVoter', 'addVoter', 'demoteVoter', 'removeServer'] as const);
    return kind === 'addNonvoter' || kind === 'addVoter' ? { kind, id, address } : { kind, id };
  }

  #fault(server: Server): void {
    const { random, network } = this;
    const dice = random.below(12);
    if (dice < 3) {
      if (server.isUp) network.crash(server.number);
    } else if (dice < 6) this.#repair();
    else if (dice < 7) this.#trouble(server);
    else if (dice < 8) for (const each of network.servers.values()) this.#soothe(each);
    else if (dice < 10) {
      if (server.isUp && server.appliedIndex > 0 && !server.isWriting) server.takeSnapshot();
    } else if (dice < 11) network.partition(random.shuffled(SERVERS).slice(0, 2));
    else network.heal();
  }

  #trouble(server: Server): void {
    const what = this.random.below(4);
    if (what === 0) server.failsToRestore = true;
    else if (what === 1) server.isMachineStalled = true;
    else server.stallDisk();
  }

  #soothe(server: Server): void {
    server.failsToRestore = false;
    server.resumeDisk();
    server.resumeMachine();
  }

  /** Whoever is down starts from its disk. */
  #repair(): void {
    for (const server of this.network.servers.values()) {
      if (server.isUp) continue;
      server.isDiskStalled = false;
      this.network.start(server.number);
    }
  }

  /** Everybody is up and heard: the servers of the configuration in force elect a leader, which commits. */
  recover(): void {
    const { network } = this;
    network.heal();
    for (const server of network.servers.values()) this.#soothe(server);
    this.#repair();
    network.runUntil(() => this.#isWell(), 30_000);
  }

  #isWell(): boolean {
    const leader = this.network.leader();
    if (leader === undefined || leader.status.commitIndex < leader.status.lastIndex) return false;
    return leader.status.followers.every(({ id }) => {
      const follower = this.network.server(Number(id.slice(1)));
      return follower.commitIndex === leader.commitIndex;
    });
  }
}

function isSameConnection(a: Passage, b: Passage): boolean {
  return a.from === b.from && a.to === b.to && a.channel === b.channel && a.isAnswer === b.isAnswer;
}

describe('a cluster in disorder', () => {
  it.each(seeds)('keeps every promise, and works again when the disorder ends (seed %i)', (seed) => {
    const disorder = new Disorder(seed);
    const { network } = disorder;
    for (let i = 0; i < STEPS; i++) disorder.step();
    disorder.recover();
    // Leadership may still be on its way to another.
    const last = disorder.proposeAtLast();
    const leader = network.elect();
    disorder.read(leader);
    network.run(1000);
    expect(leader.applied.map(({ text }) => text)).toContain(last);
    expect(disorder.reads).toBeGreaterThan(0);
    const texts = leader.applied.map(({ text }) => text);
    expect(new Set(texts).size).toBe(texts.length);
    for (const text of disorder.refused) expect(texts).not.toContain(text);
    for (const { id } of leader.status.followers) {
      expect(network.server(Number(id.slice(1))).applied.map(({ text }) => text)).toEqual(texts);
    }
  });
});
