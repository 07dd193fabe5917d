/**
 * Servers of one cluster whose messages and disks a test holds in its hand. A message takes no time: it waits until it is
 * delivered, held or lost. Time passes only where a test says so, for one server or for all. No chance, no seed but the
 * servers' own.
 *
 * Calls of one channel between two servers are a connection: requests arrive in order, and so do answers.
 */
import { assert } from '../../src/base/assert.ts';
import type { Channel } from '../../src/raft/contract.ts';
import type { CallFailure, Configuration, RaftRequest, RaftResponse } from '../../src/raft/messages.ts';
import { RaftDisk } from './disk.ts';
import { Server, type Answer, type Call, type ServerOptions, type Surroundings } from './server.ts';
import { configurationOf, logOf, numberOf } from './words.ts';
import { Watch } from './watch.ts';

/** A request or an answer on its way. */
export interface Passage {
  readonly order: number;
  readonly from: number;
  readonly to: number;
  readonly channel: Channel;
  readonly isAnswer: boolean;
  readonly message: RaftRequest | RaftResponse;
  /** The call that it belongs to. */
  readonly exchange: Exchange;
}

export interface Exchange {
  readonly caller: number;
  readonly callee: number;
  readonly call: number;
  readonly request: RaftRequest;
  readonly channel: Channel;
  /** Which start of the caller it belongs to. */
  readonly callerLife: number;
  readonly expiresAtMs: number;
  /** State that goes with a snapshot. */
  readonly state: readonly string[];
  /** Where it is: its request on the way, or being answered, or its answer on the way, or nobody waits for it. */
  stage: 'asking' | 'asked' | 'answered' | 'over';
  response: RaftResponse | null;
}

export type Filter = (passage: Passage) => boolean;

export interface NetworkOptions {
  readonly configuration: Configuration;
  /** Servers that no configuration names yet. */
  readonly outside?: readonly number[];
  /** After this long without an answer a call has failed. */
  readonly callTimeoutMs?: number;
  readonly server?: Partial<ServerOptions>;
}

/** Who hears what happens, for a text that tells it. */
export interface Audience {
  readonly onEffect?: (server: Server, effect: Parameters<NonNullable<Surroundings['onEffect']>>[0]) => void;
  readonly onPassage?: (passage: Passage, fate: 'sent' | 'held' | 'lost' | 'refused') => void;
  readonly onDurable?: (server: Server, persist: number) => void;
  readonly onStep?: (server: Server) => void;
}

export class Network {
  readonly servers = new Map<number, Server>();
  readonly watch = new Watch(this.servers);
  #waiting: Passage[] = [];
  readonly #exchanges = new Set<Exchange>();
  readonly #asks = new Map<number, Exchange>();
  readonly #lives = new Map<number, number>();
  readonly #lost = new Map<string, Filter>();
  readonly #held = new Map<string, Filter>();
  readonly #options: NetworkOptions;
  readonly #audience: Audience;
  #order = 0;

  constructor(options: NetworkOptions, audience: Audience = {}) {
    this.#options = options;
    this.#audience = audience;
    const members = options.configuration.servers.map(({ id }) => numberOf(id));
    for (const number of members) this.#add(number, logOf(options.configuration, [1]));
    for (const number of options.outside ?? []) this.#add(number, []);
  }

  /** All of them, started, none of which leads. */
  static started(n: number, options: Partial<NetworkOptions> = {}, audience: Audience = {}): Network {
    const voters = Array.from({ length: n }, (_, i) => i + 1);
    const network = new Network({ configuration: configurationOf(voters), ...options }, audience);
    for (const number of network.servers.keys()) network.start(number);
    return network;
  }

  server(number: number): Server {
    const server = this.servers.get(number);
    assert(server !== undefined, 'there is such a server', { number });
    return server;
  }

  start(number: number): void {
    this.#lives.set(number, this.#life(number) + 1);
    this.server(number).start();
  }

  /** What is on its way to it, and what it was asked, fails at those who asked. */
  crash(number: number): void {
    const server = this.server(number);
    assert(server.isUp, 'only one that is up falls', { number });
    server.crash();
    this.watch.forget(number);
    this.#lives.set(number, this.#life(number) + 1);
    for (const exchange of this.#exchanges) {
      if (exchange.caller === number) this.#end(exchange);
      else if (exchange.callee === number) this.#fail(exchange, 'closed');
    }
  }

  lose(name: string, filter: Filter): void {
    this.#lost.set(name, filter);
  }

  hold(name: string, filter: Filter): void {
    this.#held.set(name, filter);
  }

  /** @param name without it, everything */
  heal(name?: string): void {
    for (const rules of [this.#lost, this.#held]) {
      if (name === undefined) rules.clear();
      else rules.delete(name);
    }
  }

  partition(...groups: readonly (readonly number[])[]): void {
    const groupOf = (number: number) => groups.findIndex((group) => group.includes(number));
    this.lose('partition', ({ from, to }) => groupOf(from) !== groupOf(to));
  }

  /** Passages that wait, held ones too. */
  get waiting(): readonly Passage[] {
    return this.#waiting;
  }

  /** Delivers these once, whoever holds them; what they cause waits. @returns how many */
  deliver(filter: Filter): number {
    const chosen = this.#waiting.filter(filter);
    for (const passage of chosen) this.#deliver(passage);
    return chosen.length;
  }

  /** These are gone, and whoever called hears nothing for a while. */
  discard(filter: Filter): number {
    const before = this.#waiting.length;
    this.#waiting = this.#waiting.filter((passage) => !filter(passage));
    return before - this.#waiting.length;
  }

  /** Delivers all that may be until nothing moves; no time passes. */
  stabilize(): void {
    for (let delivered = 0; ; delivered++) {
      assert(delivered < 20_000, 'a cluster in which no time passes comes to rest', { waiting: this.#waiting.length });
      const next = this.#waiting.find((passage) => !this.#isHeld(passage));
      if (next === undefined) return;
      this.#deliver(next);
    }
  }

  /** Time passes for everybody, all messages being delivered that may be. */
  run(ms: number): void {
    this.stabilize();
    for (let left = ms; left > 0;) {
      const stride = Math.min(left, this.#untilSomethingMs());
      for (const server of this.servers.values()) this.#elapse(server, stride);
      this.#expire();
      this.stabilize();
      left -= stride;
    }
  }

  /** Time passes until this holds. */
  runUntil(fact: () => boolean, atMostMs = 20_000): void {
    this.stabilize();
    for (let passed = 0; !fact(); passed++) {
      assert(passed < atMostMs, 'the fact comes in time', { atMostMs });
      this.run(1);
    }
  }

  /** Time passes for one server alone, and nothing is delivered. */
  tick(number: number, ms: number): void {
    this.#elapse(this.server(number), ms);
    this.#expire();
  }

  /** Time passes for one server alone until it stands, or asks whether it may. */
  campaign(number: number): void {
    const server = this.server(number);
    const isIdle = () => server.status.role === 'follower';
    for (let ms = 0; isIdle(); ms++) {
      assert(ms < 10_000, 'a server that hears nothing stands', { number });
      this.tick(number, 1);
    }
  }

  leader(): Server | undefined {
    const leaders = [...this.servers.values()].filter((server) => server.isUp && server.status.role === 'leader');
    return leaders.sort((a, b) => b.status.term - a.status.term)[0];
  }

  /** A leader is elected, by time alone, and has committed something of its term. */
  elect(): Server {
    const elected = () => {
      const leader = this.leader();
      return leader !== undefined && leader.status.commitIndex === leader.status.lastIndex ? leader : undefined;
    };
    this.runUntil(() => elected() !== undefined);
    const leader = elected();
    assert(leader !== undefined, 'there is a leader', {});
    return leader;
  }

  #add(number: number, entries: ReturnType<typeof logOf>): void {
    const disk = new RaftDisk();
    if (entries.length > 0) disk.write({ hardState: { term: 1, votedFor: null }, truncateFrom: null, entries });
    const server: Server = new Server(
      { ...this.#options.server, seed: (this.#options.server?.seed ?? 0) * 1000 + number, number, disk },
      {
        onEffect: (effect) => {
          this.watch.onEffect(server, effect);
          this.#audience.onEffect?.(server, effect);
        },
        onCall: (call) => this.#call(number, call),
        onAnswer: (answer) => this.#answer(answer),
        onDurable: (persist) => this.#audience.onDurable?.(server, persist),
        onStep: () => {
          this.watch.onStep(server);
          this.#audience.onStep?.(server);
        },
      },
    );
    this.servers.set(number, server);
  }

  #life(number: number): number {
    return this.#lives.get(number) ?? 0;
  }

  #call(caller: number, { call, to, channel, request }: Call): void {
    const server = this.server(caller);
    const callee = numberOf(to);
    const exchange: Exchange = {
      caller,
      callee,
      call,
      request,
      channel,
      callerLife: this.#life(caller),
      expiresAtMs: server.nowMs + (this.#options.callTimeoutMs ?? 2000),
      state: request.kind === 'installSnapshot' ? (server.disk.snapshot?.state ?? []) : [],
      stage: 'asking',
      response: null,
    };
    this.#exchanges.add(exchange);
    this.#send({ from: caller, to: callee, channel, isAnswer: false, message: request, exchange });
  }

  #answer({ ask, response }: Answer): void {
    const exchange = this.#asks.get(ask);
    if (exchange === undefined) return;
    this.#asks.delete(ask);
    exchange.response = response;
    this.#releaseAnswers(exchange);
  }

  /** Answers of one connection leave in the order of its requests. */
  #releaseAnswers({ caller, callee, channel }: Exchange): void {
    for (const exchange of this.#exchanges) {
      if (exchange.caller !== caller || exchange.callee !== callee || exchange.channel !== channel) continue;
      if (exchange.stage !== 'asked') continue;
      if (exchange.response === null) return;
      exchange.stage = 'answered';
      const { response } = exchange;
      this.#send({ from: callee, to: caller, channel, isAnswer: true, message: response, exchange });
    }
  }

  #send(words: Omit<Passage, 'order'>): void {
    const passage = { ...words, order: this.#order++ };
    if ([...this.#lost.values()].some((filter) => filter(passage))) {
      this.#audience.onPassage?.(passage, 'lost');
      return;
    }
    if (!passage.isAnswer && this.servers.get(passage.to)?.isUp !== true) {
      this.#audience.onPassage?.(passage, 'refused');
      this.#fail(passage.exchange, 'unreachable');
      return;
    }
    this.#audience.onPassage?.(passage, this.#isHeld(passage) ? 'held' : 'sent');
    this.#waiting.push(passage);
  }

  #isHeld(passage: Passage): boolean {
    return [...this.#held.values()].some((filter) => filter(passage));
  }

  #deliver(passage: Passage): void {
    const at = this.#waiting.indexOf(passage);
    if (at < 0) return;
    this.#waiting.splice(at, 1);
    const { exchange } = passage;
    if (passage.isAnswer) this.#deliverAnswer(exchange);
    else this.#deliverRequest(exchange, passage.order);
  }

  #deliverRequest(exchange: Exchange, ask: number): void {
    const callee = this.server(exchange.callee);
    if (!callee.isUp) {
      this.#fail(exchange, 'closed');
      return;
    }
    if (exchange.stage === 'asking') exchange.stage = 'asked';
    this.#asks.set(ask, exchange);
    callee.ask(ask, exchange.caller, exchange.request, true, exchange.state);
  }

  #deliverAnswer(exchange: Exchange): void {
    const { response } = exchange;
    assert(response !== null, 'an answer says something', {});
    if (exchange.stage === 'over') return;
    this.#end(exchange);
    const caller = this.server(exchange.caller);
    if (!caller.isUp || exchange.callerLife !== this.#life(exchange.caller)) return;
    caller.step({ kind: 'answered', call: exchange.call, response });
  }

  #fail(exchange: Exchange, failure: CallFailure): void {
    if (exchange.stage === 'over') return;
    this.#end(exchange);
    const caller = this.server(exchange.caller);
    if (caller.isUp && exchange.callerLife === this.#life(exchange.caller)) {
      caller.step({ kind: 'callFailed', call: exchange.call, failure });
    }
  }

  /** A request on its way may still arrive: who sent it does not wait any more. */
  #end(exchange: Exchange): void {
    const wasAsked = exchange.stage === 'asked';
    exchange.stage = 'over';
    this.#exchanges.delete(exchange);
    if (wasAsked) this.#releaseAnswers(exchange);
  }

  #expire(): void {
    for (const exchange of this.#exchanges) {
      if (this.server(exchange.caller).nowMs >= exchange.expiresAtMs) this.#fail(exchange, 'timeout');
    }
  }

  #elapse(server: Server, ms: number): void {
    if (server.isUp) server.elapse(ms);
    else server.nowMs += ms;
  }

  #untilSomethingMs(): number {
    const wakes = [...this.servers.values()].map(({ wakeAtMs, nowMs }) => (wakeAtMs ?? Infinity) - nowMs);
    const expiries = [...this.#exchanges].map(({ caller, expiresAtMs }) => expiresAtMs - this.server(caller).nowMs);
    return Math.max(1, Math.min(...wakes, ...expiries));
  }
}
