/** Links between nodes, and exchanges. A link is up or down, as a stream is; `carrier.ts` does the rest. */
import { codedError, ok, type Result } from '../../src/base/result.ts';
import type { OpenLinks } from '../../src/node/validator-links.ts';
import type { AskForBlocks } from '../../src/net/block-sync.ts';
import { Carrier } from './carrier.ts';
import { fractionOf } from './dice.ts';
import { FRAME_KINDS, type FrameKind, type Lens, type SeenFrame } from './lens.ts';
import type { NetworkSettings } from './network-settings.ts';
import type { Owner, Scheduler } from './scheduler.ts';
import type { Life, SimulatedValidator } from './simulated-validator.ts';
import type { Tally } from './tally.ts';

export interface NetworkOptions {
  readonly scheduler: Scheduler;
  readonly seed: number;
  readonly lens: Lens;
  readonly tally: Tally;
  /** A frame is about to leave this node's machine. @returns the frames that leave in its place */
  readonly onSend: (life: Life, to: SimulatedValidator, seen: SeenFrame) => readonly Uint8Array[];
  /** What an answer of this server to a request for blocks becomes. */
  readonly onAnswer: (server: SimulatedValidator, answer: Uint8Array) => Uint8Array;
  /** @returns whether the process there is given what arrives */
  readonly onArrival: (at: SimulatedValidator, from: SimulatedValidator, frame: Uint8Array) => boolean;
}

const REDIAL_MS = 60;
const BREAK_MS = 1_500;

export class SimulatedNetwork {
  readonly #options: NetworkOptions;
  readonly #carrier: Carrier<FrameKind>;
  #nodes: readonly SimulatedValidator[] = [];
  /** By peer id: twins have one name. */
  #named = new Map<string, readonly SimulatedValidator[]>();

  constructor(options: NetworkOptions) {
    this.#options = options;
    this.#carrier = new Carrier({ ...options, kinds: FRAME_KINDS });
  }

  connectAll(nodes: readonly SimulatedValidator[]): void {
    this.#nodes = nodes;
    this.#named = Map.groupBy(nodes, ({ peerId }) => peerId);
  }

  change(settings: NetworkSettings): void {
    this.#carrier.settings = settings;
    for (const node of this.#nodes) if (node.life !== null) this.#reconsider(node.life);
  }

  started(life: Life): void {
    this.#reconsider(life);
  }

  stopped(life: Life): void {
    for (const other of this.#nodes) {
      const theirs = other.life;
      if (theirs?.up.delete(life.node.id) !== true) continue;
      this.#later(this.#delay(life.node.id, other.id), theirs, () => theirs.listener?.onDisconnected(life.node.peerId));
    }
    life.up.clear();
  }

  linksOf(life: Life): OpenLinks {
    return (listener) => {
      life.listener = listener;
      return {
        start: () => Promise.resolve(this.started(life)),
        send: (peerId, frame) => this.#send(life, peerId, frame),
        connected: () => this.#connectedTo(life),
        stop: () => Promise.resolve(),
      };
    };
  }

  #connectedTo(life: Life): readonly string[] {
    const names: string[] = [];
    for (const id of life.up) {
      const { peerId } = this.#nodes[id]!;
      if (!names.includes(peerId)) names.push(peerId);
    }
    return names;
  }

  /** A request for blocks to another node, and its answer. */
  exchangeOf(life: Life): AskForBlocks {
    return (target, request, options) => {
      life.underWay.exchanges++;
      let isUnderWay = true;
      const end = () => {
        if (isUnderWay) life.underWay.exchanges--;
        isUnderWay = false;
      };
      // What hangs on after that is no fault of the node's.
      if (this.#carrier.settings.hangMs !== undefined) this.#later(options.deadlineMs, life, end);
      return this.#exchange(life, target, request, options).finally(end);
    };
  }

  #exchange(life: Life, ...[target, request, { deadlineMs }]: Parameters<AskForBlocks>): ReturnType<AskForBlocks> {
    return new Promise<Result<Uint8Array>>((resolve, reject) => {
      const server = this.#nodes.find((node) => node.peerId === target.peerId && life.up.has(node.id));
      const fail = () => reject(codedError('deadline-passed', 'no answer came in time', { deadlineMs }));
      if (server === undefined) return void this.#later(1, life, fail);
      const { hangMs } = this.#carrier.settings;
      if (hangMs !== undefined) this.#options.tally.count('network: an exchange may hang');
      this.#later(hangMs ?? deadlineMs, life, fail);
      const there = { from: life.node.id, to: server.id, kind: 'fetch', round: 0 } as const;
      this.#carrier.carry(there, null, () => {
        const served = server.life?.answerBlocks(request);
        if (served === undefined) return;
        const answer = served.ok ? ok(this.#options.onAnswer(server, served.value)) : served;
        const back = { ...there, from: server.id, to: life.node.id };
        this.#carrier.carry(back, life, () => resolve(answer));
      });
    });
  }

  #send(life: Life, peerId: string, frame: Uint8Array): boolean {
    let sent = false;
    for (const node of this.#named.get(peerId) ?? []) {
      if (node === life.node) continue;
      if (!life.mayActOn('send')) return false;
      if (!life.up.has(node.id)) continue;
      sent = true;
      const { lens, onSend } = this.#options;
      const seen = lens.look(frame);
      for (const leaving of onSend(life, node, seen)) this.#bring(life.node, node, seen, leaving);
    }
    return sent;
  }

  /** A frame that no validator sends, on the links of this one. */
  bring(from: SimulatedValidator, to: SimulatedValidator, frame: Uint8Array): void {
    this.#bring(from, to, this.#options.lens.look(frame), frame);
  }

  #bring(from: SimulatedValidator, to: SimulatedValidator, { kind, round }: SeenFrame, frame: Uint8Array): void {
    this.#carrier.carry({ from: from.id, to: to.id, kind, round }, null, () => this.#arrived(to, from, frame));
  }

  /** At whatever process runs there then. */
  #arrived(at: SimulatedValidator, from: SimulatedValidator, frame: Uint8Array): void {
    const { life } = at;
    if (life === null || !life.up.has(from.id) || !this.#options.onArrival(at, from, frame)) return;
    this.#options.scheduler.current = life;
    life.listener?.onFrame(from.peerId, frame);
  }

  /** Links that should be up come up, links that are cut break. */
  #reconsider(life: Life): void {
    for (const other of this.#nodes) {
      if (other.life === null || other === life.node || other.peerId === life.node.peerId) continue;
      const cut = this.#isCut(life, other);
      if (cut && this.#carrier.settings.cutsBreakLinks)
        this.#later(BREAK_MS, life, () => this.#breakIfCut(life, other));
      if (!cut) this.#later(REDIAL_MS + this.#delay(life.node.id, other.id), life, () => this.#connect(life, other));
    }
  }

  #connect(life: Life, other: SimulatedValidator): void {
    const theirs = other.life;
    if (theirs === null || life.up.has(other.id) || life.listener === null || theirs.listener === null) return;
    if (this.#isCut(life, other)) return;
    life.up.add(other.id);
    theirs.up.add(life.node.id);
    life.listener.onConnected(other.peerId);
    this.#later(0, theirs, () => theirs.listener?.onConnected(life.node.peerId));
  }

  #breakIfCut(life: Life, other: SimulatedValidator): void {
    const theirs = other.life;
    const { cutsBreakLinks } = this.#carrier.settings;
    if (theirs === null || !this.#isCut(life, other) || !cutsBreakLinks || !life.up.delete(other.id)) return;
    theirs.up.delete(life.node.id);
    this.#options.tally.count('network: link broken');
    life.listener?.onDisconnected(other.peerId);
    this.#later(0, theirs, () => theirs.listener?.onDisconnected(life.node.peerId));
  }

  /** In either direction: the settings may have changed since. */
  #isCut(life: Life, other: SimulatedValidator): boolean {
    return this.#carrier.isCut(life.node.id, other.id) || this.#carrier.isCut(other.id, life.node.id);
  }

  #later(delayMs: number, owner: Owner, run: () => void): void {
    this.#options.scheduler.after(delayMs, owner, run);
  }

  #delay(from: number, to: number): number {
    return 1 + fractionOf(this.#options.seed, 77, from, to, this.#options.scheduler.steps) * 20;
  }
}
