/**
 * Connections between the machines of a simulation, as TCP or libp2p streams give them to production code. Messages are
 * not lost, doubled or reordered on a connection: it is late, it holds everything up while the network is cut one way or
 * both, it breaks, or it swallows all without a word until a deadline passes. Rules pick connections by what they carry.
 */
import type { ByteConnection, ByteStreams, RemoteIdentity } from '../../../src/net/byte-streams.ts';
import { codedError } from '../../../src/base/result.ts';
import type { Channel } from '../../../src/raft/contract.ts';
import type { RaftRequest } from '../../../src/raft/messages.ts';
import type { WireResponse } from '../../../src/raft/wire/response-codec.ts';
import { Carrier } from '../carrier.ts';
import { fractionOf } from '../dice.ts';
import type { NetworkSettings } from '../network-settings.ts';
import type { Owner, Scheduler } from '../scheduler.ts';
import type { Tally } from '../tally.ts';
import { ConnectionEnd, type Between, type Endpoint } from './simulated-connection.ts';
import { CHANNELS, WireLens } from './wire-lens.ts';

/** A machine as the network sees it. */
export interface NetworkedMachine {
  readonly id: number;
  readonly address: string;
  /** What a connection that it opened, or accepted, proves or shows of it. */
  readonly identity: RemoteIdentity;
  readonly life: (Endpoint & Listening) | null;
  /** Versions before 1.7 close a connection that brings a pre-vote. */
  readonly closesOnPreVote: boolean;
}

export interface Listening {
  onConnection: ((connection: ByteConnection) => void) | null;
}

export interface StreamsOptions {
  readonly scheduler: Scheduler;
  readonly seed: number;
  readonly tally: Tally;
  /** A request leaves a machine. @param waiting on its connection for an answer, this one as well */
  readonly onRequest: (from: number, to: number, request: RaftRequest, waiting: number) => void;
  /** The answer to one leaves a machine. */
  readonly onAnswer: (from: number, to: number, request: RaftRequest, answer: WireResponse) => void;
}

/** Both ends of a broken connection notice after so long. */
const BREAK_MS = 1_500;
/** Bytes seldom arrive in the pieces in which they were written. */
const SPLIT_CHANCE = 0.15;

export class SimulatedStreams {
  readonly #options: StreamsOptions;
  readonly #carrier: Carrier<Channel>;
  readonly #connections = new Set<Connection>();
  #machines: readonly NetworkedMachine[] = [];

  constructor(options: StreamsOptions) {
    this.#options = options;
    this.#carrier = new Carrier({ ...options, kinds: CHANNELS });
  }

  connectAll(machines: readonly NetworkedMachine[]): void {
    this.#machines = machines;
  }

  change(settings: NetworkSettings<Channel>): void {
    this.#carrier.settings = settings;
    for (const connection of this.#connections) connection.reconsider();
  }

  /** @param withPower nothing of the machine is left that could say that its connections are of no use */
  stopped(process: Endpoint, withPower: boolean): void {
    for (const connection of this.#connections) connection.processEnded(process, withPower ? BREAK_MS : null);
  }

  streamsOf(life: Endpoint & Listening, machine: NetworkedMachine): ByteStreams {
    return {
      listen: async (onConnection) => {
        life.onConnection = onConnection;
      },
      dial: (address, deadlineMs) => this.#dial(life, machine, address, deadlineMs),
      stop: async () => {
        life.onConnection = null;
      },
    };
  }

  #dial(life: Endpoint, from: NetworkedMachine, address: string, deadlineMs: number): Promise<ByteConnection> {
    const { scheduler } = this.#options;
    const to = this.#machines.find((machine) => machine.address === address);
    return new Promise((resolve, reject) => {
      if (to === undefined || this.#isCut(from, to)) {
        const late = () => reject(codedError('deadline-passed', 'no connection came about', { deadlineMs }));
        scheduler.after(deadlineMs, life, late);
        return;
      }
      scheduler.after(this.#delayMs(from.id, to.id), life, () => {
        const theirs = to.life;
        const listener = theirs?.onConnection;
        if (theirs === null || listener === null || listener === undefined) {
          return reject(codedError('dial-failed', 'nobody listens there', { address }));
        }
        const connection = this.#connect(life, from, theirs, to);
        scheduler.after(0, theirs, () => listener(connection.accepting));
        resolve(connection.dialling);
      });
    });
  }

  #connect(life: Endpoint, from: NetworkedMachine, theirs: Endpoint, to: NetworkedMachine): Connection {
    const connection = new Connection({
      options: this.#options,
      carrier: this.#carrier,
      dialler: { process: life, machine: from },
      acceptor: { process: theirs, machine: to },
      onGone: () => this.#connections.delete(connection),
    });
    this.#connections.add(connection);
    return connection;
  }

  #isCut(one: NetworkedMachine, other: NetworkedMachine): boolean {
    return this.#carrier.isCut(one.id, other.id) || this.#carrier.isCut(other.id, one.id);
  }

  #delayMs(from: number, to: number): number {
    const { scheduler, seed } = this.#options;
    return 0.2 + 2 * fractionOf(seed, 77, from, to, scheduler.steps);
  }
}

interface Side {
  readonly process: Endpoint;
  readonly machine: NetworkedMachine;
}

interface ConnectionOptions {
  readonly options: StreamsOptions;
  readonly carrier: Carrier<Channel>;
  readonly dialler: Side;
  readonly acceptor: Side;
  readonly onGone: () => void;
}

/** One way of a connection. */
interface Way {
  readonly from: Side;
  readonly to: Side;
  /** What arrives later arrives after that. */
  lastArrivalMs: number;
  /** What waits for a cut to end, oldest first. */
  readonly held: Uint8Array[];
  /** In the air, oldest first: whatever arrives is the oldest, as sums of times are not exact. */
  readonly inTheAir: Uint8Array[];
}

class Connection implements Between {
  readonly dialling: ConnectionEnd;
  readonly accepting: ConnectionEnd;
  readonly #given: ConnectionOptions;
  readonly #lens = new WireLens();
  readonly #there: Way;
  readonly #back: Way;
  /** It swallows whatever is written. */
  #isDead = false;

  constructor(given: ConnectionOptions) {
    this.#given = given;
    const { acceptor, dialler } = given;
    this.dialling = new ConnectionEnd(dialler.process, acceptor.machine.identity, true, this);
    this.accepting = new ConnectionEnd(acceptor.process, dialler.machine.identity, false, this);
    this.dialling.peer = this.accepting;
    this.accepting.peer = this.dialling;
    this.#there = { from: dialler, to: acceptor, lastArrivalMs: 0, held: [], inTheAir: [] };
    this.#back = { from: acceptor, to: dialler, lastArrivalMs: 0, held: [], inTheAir: [] };
  }

  carry(end: ConnectionEnd, bytes: Uint8Array): void {
    const closes = end.isDialler ? this.#seeRequests(bytes) : this.#seeAnswers(bytes);
    if (this.#isDead || closes) return;
    const way = this.#wayOf(end);
    if (way.held.length > 0) way.held.push(bytes);
    else this.#send(way, bytes);
  }

  ended(end: ConnectionEnd, isGentle: boolean): void {
    const way = this.#wayOf(end);
    const { scheduler } = this.#given.options;
    const delayMs = this.#isDead || this.#isCut(way) ? BREAK_MS : 1;
    const atMs = Math.max(scheduler.nowMs + delayMs, isGentle ? way.lastArrivalMs : 0);
    this.#closeLater(way, atMs - scheduler.nowMs);
  }

  soon(owner: Owner, run: () => void): void {
    this.#given.options.scheduler.after(0, owner, run);
  }

  /** The settings of the network have changed. */
  reconsider(): void {
    for (const way of [this.#there, this.#back]) {
      if (!this.#isCut(way)) for (const bytes of way.held.splice(0)) this.#send(way, bytes);
      else if (this.#given.carrier.settings.cutsBreakLinks) this.#break(BREAK_MS);
    }
  }

  processEnded(process: Endpoint, noticedAfterMs: number | null): void {
    for (const way of [this.#there, this.#back]) {
      if (way.from.process !== process) continue;
      this.#closeLater(way, noticedAfterMs ?? (this.#isCut(way) ? BREAK_MS : 1));
    }
  }

  #send(way: Way, bytes: Uint8Array): void {
    const { carrier, options } = this.#given;
    const { channel, term } = this.#lens.traffic;
    const fate = carrier.fateOf({ from: way.from.machine.id, to: way.to.machine.id, kind: channel, round: term });
    if (fate === 'cut') {
      way.held.push(bytes);
      if (carrier.settings.cutsBreakLinks) this.#break(BREAK_MS);
      return;
    }
    if (fate === 'lost') return this.#lose();
    const { scheduler } = options;
    const atMs = Math.max(scheduler.nowMs + (fate[0] ?? 0), way.lastArrivalMs);
    way.lastArrivalMs = atMs;
    for (const piece of this.#pieces(bytes)) {
      way.inTheAir.push(piece);
      scheduler.after(atMs - scheduler.nowMs, way.to.process, () => {
        const oldest = way.inTheAir.shift();
        if (!this.#isDead && oldest !== undefined) this.#endAt(way.to).arrived(oldest);
      });
    }
  }

  /** What is in the air is gone; both ends notice at once, or none does. */
  #lose(): void {
    this.#isDead = true;
    const isNoticed = this.#roll() < 0.5;
    this.#given.options.tally.count(isNoticed ? 'network: a connection broke' : 'network: a connection went dead');
    if (isNoticed) this.#closeBoth(1);
  }

  #break(afterMs: number): void {
    if (this.#isDead) return;
    this.#isDead = true;
    this.#given.options.tally.count('network: a cut broke a connection');
    this.#closeBoth(afterMs);
  }

  #closeBoth(afterMs: number): void {
    this.#closeLater(this.#there, afterMs);
    this.#closeLater(this.#back, afterMs);
  }

  /** The end at which this way leads is told. */
  #closeLater(way: Way, afterMs: number): void {
    const { options, onGone } = this.#given;
    const end = this.#endAt(way.to);
    options.scheduler.after(afterMs, way.to.process, () => end.wasClosed());
    options.scheduler.after(afterMs, null, onGone);
  }

  /** @returns whether the other side closes the connection on it */
  #seeRequests(bytes: Uint8Array): boolean {
    const { options } = this.#given;
    const { from, to } = this.#there;
    let closes = false;
    for (const { request, waiting } of this.#lens.asked(bytes)) {
      options.onRequest(from.machine.id, to.machine.id, request, waiting);
      closes ||= request.kind === 'preVote' && to.machine.closesOnPreVote;
    }
    if (closes) {
      this.#isDead = true;
      options.tally.count('network: closed on a pre-vote');
      this.#closeBoth(2);
    }
    return closes;
  }

  #seeAnswers(bytes: Uint8Array): false {
    const { from, to } = this.#back;
    for (const { answer, request } of this.#lens.answered(bytes)) {
      this.#given.options.onAnswer(from.machine.id, to.machine.id, request, answer);
    }
    return false;
  }

  #pieces(bytes: Uint8Array): readonly Uint8Array[] {
    if (bytes.length < 2 || this.#roll() >= SPLIT_CHANCE) return [bytes];
    const at = 1 + Math.floor(this.#roll() * (bytes.length - 1));
    return [bytes.subarray(0, at), bytes.subarray(at)];
  }

  #rolls = 0;

  #roll(): number {
    const { scheduler, seed } = this.#given.options;
    const { from, to } = this.#there;
    return fractionOf(seed, 78, from.machine.id, to.machine.id, scheduler.steps, this.#rolls++);
  }

  #isCut({ from, to }: Way): boolean {
    return this.#given.carrier.isCut(from.machine.id, to.machine.id);
  }

  #wayOf(end: ConnectionEnd): Way {
    return end.isDialler ? this.#there : this.#back;
  }

  #endAt(side: Side): ConnectionEnd {
    return side === this.#there.to ? this.accepting : this.dialling;
  }
}
