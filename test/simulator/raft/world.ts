/**
 * A whole Raft cluster in one process: servers, their machines, what is between them, those who use and run it, and the
 * checkers that look at every step. It does what it is told (`episode.ts`) and nothing by chance.
 */
import { CodedError } from '../../../src/base/result.ts';
import { CALM } from '../network-settings.ts';
import type { CrashKind } from '../machine.ts';
import { Stage, textOf } from '../stage.ts';
import type { RaftCast } from './cast.ts';
import { RaftCheckers } from './checkers.ts';
import { Clients } from './clients.ts';
import type { Drill, RaftAction } from './episode.ts';
import { Operator } from './operator.ts';
import { SimulatedServer, RaftLife, type ServerSurroundings } from './simulated-server.ts';
import { SimulatedStreams } from './simulated-streams.ts';
import { Stranger } from './stranger.ts';
import { termOf } from './wire-lens.ts';

/** From a leader's end to the next one: detected, elected, and all of it once more when two stood at the same time. */
export const TIMEOUTS_TO_ANOTHER_LEADER = 10;

export interface RaftWorldOptions {
  readonly seed: number;
  readonly servers: number;
  readonly cast: RaftCast;
  readonly onLine?: (line: string) => void;
}

export class RaftWorld extends Stage<SimulatedServer, RaftLife> {
  readonly cast: RaftCast;
  readonly network: SimulatedStreams;
  readonly nodes: readonly SimulatedServer[];
  readonly checkers: RaftCheckers;
  readonly clients: Clients;
  readonly operator: Operator;
  readonly #stranger: Stranger;
  readonly #servers: number;

  constructor({ cast, onLine, seed, servers }: RaftWorldOptions) {
    super(seed, onLine);
    this.cast = cast;
    this.#servers = servers;
    const { scheduler, tally } = this;
    const note = (text: string) => this.note(text);
    this.checkers = new RaftCheckers(cast, (violation) => this.violate(violation));
    this.network = new SimulatedStreams({
      scheduler,
      seed,
      tally,
      onRequest: (from, to, request, waiting) => {
        this.note(`${from}>${to} ${request.kind} ${termOf(request)}`);
        if (from < this.nodes.length) this.checkers.asks(this.node(from), this.node(to), request, waiting);
      },
      onAnswer: (from, to, request, answer) => {
        this.note(`${from}>${to} ${request.kind} ${answer.error} ${JSON.stringify(answer.response)}`);
        this.checkers.answers(this.node(from), request, answer);
      },
    });
    const surroundings: ServerSurroundings = {
      ...{ scheduler, seed, cast, tally, network: this.network },
      listed: () => [...this.operator.listed].map(({ address, serverId: id }) => ({ id, address })),
      writeMs: (node, sync) => this.writeMs(node, sync),
      onStarted: (life) => {
        this.note(`${life.node.id} is up`);
        this.checkers.started(life);
      },
      onApplied: (life, entry, digest) => {
        this.note(`${life.node.id} applies ${entry.index} of term ${entry.term}`);
        this.tally.count('entries applied by a server');
        this.checkers.applied(life, entry, digest);
      },
      onRestored: (life, index, digest) => {
        this.note(`${life.node.id} restores ${index}`);
        this.tally.count('snapshot: restored');
        this.checkers.restored(life, index, digest);
      },
      onFatal: (life, error) => this.#fatal(life, error),
      onDoomed: (life) => this.doomed(life, life.node.id),
    };
    this.nodes = Array.from({ length: servers + cast.spares }, (_, id) => new SimulatedServer(id, surroundings));
    this.#stranger = new Stranger(this.nodes.length, cast.streams, cast.protocolVersion);
    this.network.connectAll([...this.nodes, this.#stranger]);
    const { checkers, nodes } = this;
    this.clients = new Clients({ scheduler, seed, tally, checkers, nodes, note, ...cast });
    this.operator = new Operator({
      ...{ scheduler, tally, nodes, note, listsRemoved: cast.listsRemoved },
      leader: () => this.leader(),
      first: nodes.slice(0, servers),
      onComing: (node) => {
        node.isRetired = false;
        if (node.life === null) this.start(node.id);
      },
      onRemoved: (node) => {
        if (cast.retiresRemoved) this.#retire(node);
      },
    });
  }

  startAll(): void {
    const first = this.nodes.slice(0, this.#servers);
    const voters = first.length - this.cast.nonvoters;
    const servers = first.map(({ address, serverId: id }, place) => {
      return { id, address, suffrage: place < voters ? ('voter' as const) : ('nonvoter' as const) };
    });
    this.checkers.commits.given(1, 1);
    for (const node of this.nodes) {
      this.checkers.watch(node);
      if (first.includes(node)) this.scheduler.run(null, () => void node.bootstrap({ servers }));
    }
    for (const { id } of this.nodes) this.start(id);
    this.clients.start();
    this.operator.start();
  }

  /** Of the highest term; null while nobody says that it leads. */
  leader(): RaftLife | null {
    let leader: RaftLife | null = null;
    let highest = -1;
    for (const { life } of this.nodes) {
      const status = life?.server?.status();
      if (life === null || status === undefined || status.role !== 'leader' || status.term <= highest) continue;
      leader = life;
      highest = status.term;
    }
    return leader;
  }

  perform(action: Exclude<RaftAction, { readonly kind: 'drill' }>): void {
    const { tally } = this;
    switch (action.kind) {
      case 'crash':
      case 'disk':
        return this.performOn(action);
      case 'network':
        tally.count('network: changed');
        return this.network.change(action.settings);
      case 'clock':
        tally.count('clock: runs at another rate');
        return this.node(action.node).clock.setRate(action.rate);
      case 'pause':
        return this.#pause(action.node, action.forMs);
      case 'load':
        this.clients.thinkMs = action.thinkMs ?? Infinity;
        return;
      case 'transfer':
        return this.#transfer(action.to);
      case 'wish':
        return this.operator.wish(action.wish);
      case 'snapshot':
        return this.#takeSnapshot(action.node);
      case 'revive':
        return this.#revive(action.node);
      case 'stranger':
        return this.#strange(action);
    }
  }

  /** Until everything is healed. @returns whether it could be done */
  disable({ node }: RaftLife, drill: Drill): boolean {
    this.note(`${node.id} is ${drill}`);
    switch (drill) {
      case 'killed':
        this.crash(node.id, 'process');
        return true;
      case 'paused':
        this.#pause(node.id, TIMEOUTS_TO_ANOTHER_LEADER * this.cast.timings.electionMs);
        return true;
      case 'deaf':
        this.network.change({ ...CALM, cuts: [{ from: this.#othersThan(node.id), to: [node.id] }] });
        return true;
      case 'stalled-disk':
        node.diskFaults.mode = 'stalled';
        return true;
      case 'supplanted':
        return this.#supplant(node);
    }
  }

  #othersThan(id: number): readonly number[] {
    return this.nodes.filter((node) => node.id !== id).map((node) => node.id);
  }

  #supplant({ id, life }: SimulatedServer): boolean {
    const servers = life?.server?.status().configuration.configuration.servers ?? [];
    const isOther = (node: SimulatedServer) =>
      node.id !== id && servers.some((server) => server.id === node.serverId && server.suffrage === 'voter');
    const other = this.nodes.find(isOther);
    if (other === undefined) return false;
    this.#transfer(other.id);
    // It stands: before it has told anybody, the leader hears nobody any more, and leads until its lease ends.
    const term = () => other.life?.server?.status().term ?? 0;
    const before = term();
    this.runUntil(this.scheduler.nowMs + this.cast.timings.electionMs, () => term() > before);
    if (term() === before) return false;
    this.network.change({ ...CALM, cuts: [{ from: this.#othersThan(id), to: [id] }] });
    this.clients.part(other.id, id);
    return true;
  }

  override mend(id: number): void {
    if (this.node(id).isRetired) this.node(id).diskFaults.mode = 'ok';
    else super.mend(id);
  }

  protected crashed(id: number, _how: CrashKind): void {
    this.checkers.stopped(this.node(id));
  }

  override crash(id: number, how: CrashKind): void {
    const { life } = this.node(id);
    // In the middle of a turn, as of a server that is switched off once it said that it is removed: what it did counts.
    if (life !== null) this.checkers.look(life);
    super.crash(id, how);
    if (life !== null) this.clients.stopped(life);
  }

  protected override stepped(): void {
    const { last } = this.scheduler;
    if (last instanceof RaftLife) this.checkers.look(last);
  }

  #retire(node: SimulatedServer): void {
    this.tally.count('machine: switched off after its removal');
    node.isRetired = true;
    this.crash(node.id, 'process');
  }

  #revive(id: number): void {
    const node = this.node(id);
    if (!node.isRetired) return;
    this.tally.count('machine: removed and switched on again');
    node.isRetired = false;
    this.start(id);
  }

  #pause(id: number, forMs: number): void {
    const { life } = this.node(id);
    if (life === null) return;
    this.tally.count('process: gets no turn');
    this.note(`${id} gets no turn`);
    // Never shorter than before: what waits for its turn already would be overtaken by what comes later.
    life.pausedUntilMs = Math.max(life.pausedUntilMs, this.scheduler.nowMs + forMs);
  }

  #transfer(to: number | null): void {
    const leader = this.leader();
    if (leader?.server === null || leader === null) return;
    this.tally.count('transfer: asked for');
    const target = to === null ? null : this.node(to).serverId;
    this.scheduler.after(0, leader, () => {
      void leader.server?.transfer(target).then((outcome) => {
        this.tally.count(outcome.ok ? 'transfer: done' : `transfer: ${outcome.refusal.code}`);
      });
    });
  }

  #takeSnapshot(id: number): void {
    const { life } = this.node(id);
    const server = life?.server;
    if (life === null || server === null || server === undefined) return;
    this.scheduler.after(0, life, () => {
      server.snapshot().then(
        (stored) => this.tally.count(stored === null ? 'snapshot: nothing new' : 'snapshot: taken by hand'),
        (error: unknown) => {
          if (!(error instanceof CodedError)) this.threw(error);
        },
      );
    });
  }

  #strange({ says, termAhead, to }: Extract<RaftAction, { readonly kind: 'stranger' }>): void {
    this.tally.count(`stranger: ${says}`);
    const terms = this.nodes.map(({ life }) => life?.server?.status().term ?? 0);
    const term = Math.max(...terms) + termAhead;
    this.#stranger.speak(this.network, this.scheduler, this.node(to).address, says, term);
  }

  #fatal(life: RaftLife, error: unknown): void {
    const { id } = life.node;
    if (error instanceof CodedError && error.code === 'store-disk-full') {
      this.tally.count('crash: the disk was full');
      this.crash(id, 'process');
      return;
    }
    const details = { id, message: textOf(error) };
    this.violate({ checker: 'process', message: 'a process never gives up by itself', details });
  }
}
