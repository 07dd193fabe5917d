/** One server of a cluster whose other servers are the test itself: it makes their requests and answers by hand. */
import { assert } from '../../src/base/assert.ts';
import type { RaftEffect, RaftInput, RaftStatus } from '../../src/raft/contract.ts';
import type {
  AppendEntriesResponse,
  CallFailure,
  Configuration,
  Entry,
  RaftRequest,
  RaftResponse,
} from '../../src/raft/messages.ts';
import { RaftDisk } from './disk.ts';
import { Server, type Answer, type Call, type ServerOptions } from './server.ts';
import { addressOf, configurationOf, idOf, logOf } from './words.ts';

export interface LoneOptions extends Omit<ServerOptions, 'number' | 'disk'> {
  /** Servers 1, 2 and 3 vote unless something else is said. */
  readonly configuration?: Configuration;
  /** Terms of its log, the first of which is the configuration's. Empty: a server that nobody has told anything. */
  readonly terms?: readonly number[];
  /** In place of `terms`. */
  readonly entries?: readonly Entry[];
  /** The last entry's term unless said. */
  readonly term?: number;
  readonly votedFor?: number;
  readonly disk?: RaftDisk;
}

type Of<K extends RaftEffect['kind']> = Extract<RaftEffect, { kind: K }>;
type RequestOf<K extends RaftRequest['kind']> = Extract<RaftRequest, { kind: K }>;
type ResponseOf<K extends RaftRequest['kind']> = Extract<RaftResponse, { kind: K }>;

/** A call with the type of its request known. */
export interface CallOf<K extends RaftRequest['kind']> extends Omit<Call, 'request'> {
  readonly request: RequestOf<K>;
}

export class Lone {
  readonly server: Server;
  /** All that its engine has listed. */
  readonly effects: RaftEffect[] = [];
  /** Calls that have left and are not answered yet, oldest first. */
  readonly open: Call[] = [];
  /** Whom the operator's list of the cluster names. */
  listed: readonly number[] = [2, 3];
  readonly #answers = new Map<number, Answer>();
  #asks = 0;

  /** Server 1, started. */
  constructor(options: LoneOptions = {}) {
    this.server = new Server(
      { ...options, number: 1, disk: options.disk ?? diskOf(options) },
      {
        onEffect: (effect) => this.effects.push(effect),
        onCall: (call) => this.open.push(call),
        onAnswer: (answer) => this.#answers.set(answer.ask, answer),
      },
    );
    this.server.start();
  }

  get status(): RaftStatus {
    return this.server.status;
  }

  /** Effects of one kind, in order. */
  effectsOf<K extends RaftEffect['kind']>(kind: K): Of<K>[] {
    return this.effects.filter((effect): effect is Of<K> => effect.kind === kind);
  }

  /** Sends a request. @returns a number to read the answer by, with `answerTo` */
  send(from: number, request: RaftRequest, state: readonly string[] = []): number {
    const ask = ++this.#asks;
    this.server.ask(ask, from, request, this.listed.includes(from), state);
    return ask;
  }

  answerTo(ask: number): RaftResponse | undefined {
    return this.#answers.get(ask)?.response;
  }

  /** Sends a request that is answered within the step. */
  ask<R extends RaftRequest>(from: number, request: R, state: readonly string[] = []): ResponseOf<R['kind']> {
    const ask = this.send(from, request, state);
    const response = this.answerTo(ask);
    assert(response !== undefined, 'the request is answered', { kind: request.kind, ask });
    return response as ResponseOf<R['kind']>;
  }

  step(input: RaftInput): void {
    this.server.step(input);
  }

  elapse(ms: number): void {
    this.server.elapse(ms);
  }

  /** Calls of a kind that are not answered yet. */
  calls<K extends RaftRequest['kind']>(kind: K, to?: number): CallOf<K>[] {
    return this.open.filter(
      (call): call is Call & CallOf<K> => call.request.kind === kind && (to === undefined || call.to === idOf(to)),
    );
  }

  /** Log calls: append requests that are no heartbeats. */
  appends(to?: number): CallOf<'appendEntries'>[] {
    return this.calls('appendEntries', to).filter(({ request }) => request.entries !== null);
  }

  heartbeats(to?: number): CallOf<'appendEntries'>[] {
    return this.calls('appendEntries', to).filter(({ request }) => request.entries === null);
  }

  answer(call: Pick<Call, 'call'>, response: RaftResponse): void {
    this.#close(call);
    this.step({ kind: 'answered', call: call.call, response });
  }

  fail(call: Pick<Call, 'call'>, failure: CallFailure): void {
    this.#close(call);
    this.step({ kind: 'callFailed', call: call.call, failure });
  }

  #close({ call }: Pick<Call, 'call'>): void {
    const at = this.open.findIndex((open) => open.call === call);
    assert(at >= 0, 'a call is answered once', { call });
    this.open.splice(at, 1);
  }

  /** Time passes until this holds. */
  elapseUntil(fact: () => boolean, atMostMs = 5000): void {
    for (let ms = 0; !fact(); ms++) {
      assert(ms < atMostMs, 'the fact comes in time', { atMostMs, role: this.status.role, term: this.status.term });
      this.elapse(1);
    }
  }

  /** Nobody is heard until it stands; whoever is asked would vote for it. */
  stand(): void {
    this.elapseUntil(() => this.status.role !== 'follower');
    for (const call of this.calls('preVote')) {
      if (this.status.role !== 'precandidate') break;
      this.answer(call, { kind: 'preVote', term: this.status.term, granted: true });
    }
    assert(this.status.role === 'candidate' || this.status.role === 'leader', 'it stands', { role: this.status.role });
  }

  /** The servers given vote for it, or as many as are asked. */
  win(...by: readonly number[]): void {
    this.stand();
    for (const call of this.calls('requestVote')) {
      if (by.length > 0 && !by.map(idOf).includes(call.to)) continue;
      this.answer(call, { kind: 'requestVote', term: call.request.term, granted: true });
    }
    assert(this.status.role === 'leader', 'it was elected', { role: this.status.role, term: this.status.term });
  }

  /** One follower takes all that is sent to it, as long as anything is: what it holds afterwards is the leader's log. */
  acknowledge(to: number): void {
    for (let rounds = 0; ; rounds++) {
      assert(rounds < 1000, 'a follower that takes everything is soon equal', { to });
      const [call] = this.calls('appendEntries', to);
      if (call === undefined) return;
      this.answer(call, accepted(call.request));
    }
  }

  propose(...texts: readonly string[]): void {
    const proposals = texts.map((text) => {
      const number = Number.parseInt(text.replace(/\D/g, ''), 10) || 0;
      return { number, type: 0 as const, data: new TextEncoder().encode(text) };
    });
    this.step({ kind: 'propose', proposals });
  }
}

/** What a follower answers that holds all before the request. */
export function accepted(request: RequestOf<'appendEntries'>): AppendEntriesResponse {
  const { term, prevIndex } = request;
  return { kind: 'appendEntries', term, lastIndex: prevIndex, success: true, noRetryBackoff: false };
}

export function rejected(term: number, lastIndex: number): AppendEntriesResponse {
  return { kind: 'appendEntries', term, lastIndex, success: false, noRetryBackoff: true };
}

/** A leader of term `term + 1` whose own no-op everybody has. */
export function leaderOf(options: LoneOptions = {}): Lone {
  const lone = new Lone(options);
  lone.win();
  for (const { id } of lone.status.followers) lone.acknowledge(Number.parseInt(id.slice(1), 10));
  const { commitIndex, lastIndex } = lone.status;
  assert(commitIndex === lastIndex, 'the no-op is committed', { commitIndex, lastIndex });
  return lone;
}

function diskOf(options: LoneOptions): RaftDisk {
  const disk = new RaftDisk();
  const entries = options.entries ?? logOf(options.configuration ?? configurationOf([1, 2, 3]), options.terms ?? [1]);
  const term = options.term ?? entries.at(-1)?.term ?? 0;
  const votedFor = options.votedFor === undefined ? null : addressOf(options.votedFor);
  disk.write({ hardState: { term, votedFor }, truncateFrom: null, entries });
  return disk;
}
