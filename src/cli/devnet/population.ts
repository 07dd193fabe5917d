/**
 * The life of a population of nodes, as a pure function of a seed and the time: who joins, changes, beats and leaves,
 * and when. It knows nothing of keys or networks; its driver signs and submits what it says, and tells it what became
 * of each event, because a node has one event in flight.
 */
import { assert } from '../../base/assert.ts';
import { Random } from '../../base/random.ts';
import type { Capabilities1 } from '../../ledger/event-schema.ts';
import type { EventBody } from '../../node/sign-event.ts';
import { PACE, type Mix } from './mix.ts';

export interface PopulationOptions {
  readonly nodes: number;
  /** Any 32-bit unsigned integer. */
  readonly seed: number;
  readonly mix: Mix;
  /** How many times faster than life. */
  readonly speed: number;
  /** Of the chain: a node beats a little slower than a third of it, which is the fastest that the ledger takes. */
  readonly livenessWindowSeconds: number;
  /** Through whom nodes without an address of their own are reached. */
  readonly relayPeerId: string;
  readonly nowMs: number;
}

/** What a node did, ready to be signed with its key. */
export interface SimulatedEvent {
  /** Position in the population, from 0. */
  readonly node: number;
  readonly body: EventBody;
}

/** What the ledger held of a node when the population started. */
export interface KnownNode {
  readonly joined: boolean;
  readonly version: string;
}

/** What can come due for a node. `presence` is the next join or leave. */
type Duty = 'presence' | 'heartbeat' | 'addresses' | 'capabilities' | 'upgrade';
const DUTIES: readonly Duty[] = ['presence', 'upgrade', 'addresses', 'capabilities', 'heartbeat'];

interface Node {
  readonly index: number;
  readonly flapping: boolean;
  readonly ephemeralPort: boolean;
  readonly reach: 'ipv4' | 'ipv6' | 'relay';
  readonly behind: boolean;
  capabilities: Capabilities1;
  joined: boolean;
  /** Minor version that it runs. */
  release: number;
  inFlight: boolean;
  /** Unix milliseconds; Infinity: not coming. */
  readonly dueMs: Record<Duty, number>;
}

const FIRST_RELEASE = 6;
/** Slack over the fastest heartbeat that the ledger takes: block times are whole seconds. */
const HEARTBEAT_SLACK_MS = 2_000;

export class Population {
  readonly #options: PopulationOptions;
  readonly #random: Random;
  readonly #nodes: readonly Node[];
  /** Minor version that was released last, and when the next one comes. */
  #newest = FIRST_RELEASE;
  #nextReleaseMs: number;

  constructor(options: PopulationOptions) {
    this.#options = options;
    this.#random = new Random(options.seed);
    this.#nodes = Array.from({ length: options.nodes }, (_, index) => this.#newNode(index));
    this.#nextReleaseMs = options.nowMs + this.#scaledMs(PACE.release) * this.#random.fraction();
  }

  get joined(): number {
    return this.#nodes.filter((node) => node.joined).length;
  }

  /** A node that the ledger knows already goes on from there. Called before the first `due`. */
  resume(index: number, known: KnownNode): void {
    const node = this.#node(index);
    node.joined = known.joined;
    const release = /^v0\.(\d+)\.0$/.exec(known.version)?.[1];
    if (release !== undefined) {
      node.release = Number(release);
      this.#newest = Math.max(this.#newest, node.release);
    }
    if (known.joined) this.#schedulePresent(node, this.#options.nowMs);
  }

  /**
   * Everything that has come due, at most one event a node; nodes with an event in flight wait. Every event stays in
   * flight until `settled` is called for its node.
   */
  due(nowMs: number): SimulatedEvent[] {
    if (nowMs >= this.#nextReleaseMs) this.#releaseVersion(nowMs);
    const events: SimulatedEvent[] = [];
    for (const node of this.#nodes) {
      if (node.inFlight) continue;
      const duty = DUTIES.find((candidate) => node.dueMs[candidate] <= nowMs);
      if (duty === undefined) continue;
      node.inFlight = true;
      events.push({ node: node.index, body: this.#perform(node, duty, nowMs) });
    }
    return events;
  }

  /** The node's event was acknowledged or finally refused; its next one may come. */
  settled(index: number, nowMs: number): void {
    const node = this.#node(index);
    node.inFlight = false;
    // The ledger heard of it just now, perhaps after many attempts: the heartbeat counts from here.
    if (node.joined) this.#heard(node, nowMs);
  }

  /** When `due` next has something, unix milliseconds. */
  wakeAtMs(): number {
    let wakeMs = this.#nextReleaseMs;
    for (const node of this.#nodes) {
      if (!node.inFlight) wakeMs = Math.min(wakeMs, ...Object.values(node.dueMs));
    }
    return wakeMs;
  }

  #perform(node: Node, duty: Duty, nowMs: number): EventBody {
    switch (duty) {
      case 'presence':
        return node.joined ? this.#leave(node, nowMs) : this.#join(node, nowMs);
      case 'heartbeat':
        node.dueMs.heartbeat = Infinity;
        return { type: 'heartbeat' };
      case 'addresses':
        node.dueMs.addresses = nowMs + this.#exponentialMs(PACE.addressChange);
        return { type: 'addressesChanged', multiaddrs: this.#addresses(node) };
      case 'capabilities':
        node.dueMs.capabilities = nowMs + this.#exponentialMs(PACE.capabilityChange);
        node.capabilities = this.#capabilities();
        return { type: 'capabilitiesDeclared', ...node.capabilities };
      case 'upgrade':
        node.dueMs.upgrade = Infinity;
        node.release = this.#newest;
        return { type: 'versionChanged', version: versionText(node.release) };
    }
  }

  #join(node: Node, nowMs: number): EventBody {
    node.joined = true;
    node.release = Math.max(node.release, this.#newest - (node.behind ? 1 : 0));
    this.#schedulePresent(node, nowMs);
    return {
      type: 'joined',
      multiaddrs: this.#addresses(node),
      version: versionText(node.release),
      ...node.capabilities,
    };
  }

  #leave(node: Node, nowMs: number): EventBody {
    node.joined = false;
    const absence = node.flapping ? PACE.flapperSession : PACE.medianAbsence;
    Object.assign(node.dueMs, {
      presence: nowMs + this.#aroundMs(absence),
      heartbeat: Infinity,
      addresses: Infinity,
      capabilities: Infinity,
      upgrade: Infinity,
    });
    return { type: 'left' };
  }

  #schedulePresent(node: Node, nowMs: number): void {
    const session = node.flapping ? PACE.flapperSession : PACE.medianSession;
    node.dueMs.presence = nowMs + this.#aroundMs(session);
    node.dueMs.addresses = nowMs + this.#exponentialMs(PACE.addressChange);
    node.dueMs.capabilities = nowMs + this.#exponentialMs(PACE.capabilityChange);
    if (node.release < this.#newest && !node.behind) node.dueMs.upgrade = nowMs + this.#upgradeDelayMs();
    this.#heard(node, nowMs);
  }

  /** Next heartbeat: after a third of the window, spread so that nodes that joined together do not beat together. */
  #heard(node: Node, nowMs: number): void {
    const thirdMs = (this.#options.livenessWindowSeconds * 1000) / 3;
    node.dueMs.heartbeat = nowMs + thirdMs + HEARTBEAT_SLACK_MS + this.#random.fraction() * (thirdMs / 2);
  }

  #releaseVersion(nowMs: number): void {
    this.#newest++;
    this.#nextReleaseMs = nowMs + this.#scaledMs(PACE.release);
    for (const node of this.#nodes) if (node.joined) node.dueMs.upgrade = nowMs + this.#upgradeDelayMs();
  }

  #newNode(index: number): Node {
    const { mix, nowMs } = this.#options;
    const relayOrV6 = this.#random.fraction();
    return {
      index,
      flapping: this.#random.chance(mix.flapping),
      ephemeralPort: this.#random.chance(mix.ephemeralPort),
      reach: relayOrV6 < mix.relayOnly ? 'relay' : relayOrV6 < mix.relayOnly + mix.ipv6 ? 'ipv6' : 'ipv4',
      behind: this.#random.chance(mix.versionBehind),
      capabilities: this.#capabilities(),
      joined: false,
      release: FIRST_RELEASE - 1,
      inFlight: false,
      dueMs: {
        presence: nowMs + this.#random.fraction() * this.#scaledMs(PACE.rejoinStorm),
        heartbeat: Infinity,
        addresses: Infinity,
        capabilities: Infinity,
        upgrade: Infinity,
      },
    };
  }

  #capabilities(): Capabilities1 {
    const { mix } = this.#options;
    return {
      isTwitterScraper: this.#random.chance(mix.twitter),
      isDiscordScraper: this.#random.chance(mix.discord),
      isTelegramScraper: this.#random.chance(mix.telegram),
      isWebScraper: this.#random.chance(mix.web),
    };
  }

  /** Addresses from the ranges kept for documentation (RFC 5737, RFC 3849): nobody is ever dialled there. */
  #addresses(node: Node): string[] {
    if (node.reach === 'relay') return [`/ip4/192.0.2.1/tcp/4001/p2p/${this.#options.relayPeerId}/p2p-circuit`];
    const port = node.ephemeralPort ? 32_768 + this.#random.below(28_000) : 4001;
    const host = 1 + this.#random.below(254);
    if (node.reach === 'ipv6') return [`/ip6/2001:db8::${host.toString(16)}/tcp/${port}`];
    return [`/ip4/203.0.113.${host}/tcp/${port}`, `/ip4/203.0.113.${host}/udp/${port}/quic-v1`];
  }

  #upgradeDelayMs(): number {
    return this.#exponentialMs(PACE.upgradeMostly / Math.log(5));
  }

  #exponentialMs(meanSeconds: number): number {
    return -Math.log(1 - this.#random.fraction()) * this.#scaledMs(meanSeconds);
  }

  /** Log-uniform around the median, from a third of it to three times it. */
  #aroundMs(medianSeconds: number): number {
    return this.#scaledMs(medianSeconds) * 3 ** (2 * this.#random.fraction() - 1);
  }

  #scaledMs(seconds: number): number {
    return (seconds * 1000) / this.#options.speed;
  }

  #node(index: number): Node {
    const node = this.#nodes[index];
    assert(node !== undefined, 'the index is of a node', { index, nodes: this.#nodes.length });
    return node;
  }
}

function versionText(release: number): string {
  return `v0.${release}.0`;
}
