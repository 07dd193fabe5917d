/**
 * Links between nodes, and exchanges. A link is up or down, as a stream is; what it carries is delayed, lost, doubled
 * and reordered as the settings say, each time by a die of its own (`dice.ts`).
 */
import { codedError, ok, type Result } from '../../src/base/result.ts';
import type { OpenLinks } from '../../src/node/validator-links.ts';
import type { AskForBlocks } from '../../src/net/block-sync.ts';
import { fractionOf } from './dice.ts';
import { FRAME_KINDS, type Lens, type SeenFrame } from './lens.ts';
import { CALM, isCut, ruleFor, type NetworkSettings, type Passage } from './network-settings.ts';
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
  settings: NetworkSettings = CALM;
  readonly #options: NetworkOptions;
  #nodes: readonly SimulatedValidator[] = [];
  /** By peer id: twins have one name. */
  #named = new Map<string, readonly SimulatedValidator[]>();
  /** Of every passage so far, so that two alike roll different dice. */
  readonly #counts = new Map<number, number>();
  /** When the last frame of a link arrives. */
  readonly #lastArrivalMs = new Map<number, number>();

  constructor(options: NetworkOptions) {
    this.#options = options;
  }

  connectAll(nodes: readonly SimulatedValidator[]): void {
    this.#nodes = nodes;
    this.#named = Map.groupBy(nodes, ({ peerId }) => peerId);
  }

  change(settings: NetworkSettings): void {
    this.settings = settings;
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
      if (this.settings.hangMs !== undefined) this.#later(options.deadlineMs, life, end);
      return this.#exchange(life, target, request, options).finally(end);
    };
  }

  #exchange(life: Life, ...[target, request, { deadlineMs }]: Parameters<AskForBlocks>): ReturnType<AskForBlocks> {
    return new Promise<Result<Uint8Array>>((resolve, reject) => {
      const server = this.#nodes.find((node) => node.peerId === target.peerId && life.up.has(node.id));
      const fail = () => reject(codedError('deadline-passed', 'no answer came in time', { deadlineMs }));
      if (server === undefined) return void this.#later(1, life, fail);
      const { hangMs } = this.settings;
      if (hangMs !== undefined) this.#options.tally.count('network: an exchange may hang');
      this.#later(hangMs ?? deadlineMs, life, fail);
      const there = { from: life.node.id, to: server.id, kind: 'fetch', round: 0 } as const;
      this.#carry(there, null, () => {
        const served = server.life?.answerBlocks(request);
        if (served === undefined) return;
        const answer = served.ok ? ok(this.#options.onAnswer(server, served.value)) : served;
        const back = { ...there, from: server.id, to: life.node.id };
        this.#carry(back, life, () => resolve(answer));
      });
    });
  }

  /** Brings something over, or not. @param receiver whose work its arrival is */
  #carry(passage: Passage, receiver: Owner | null, arrive: () => void): void {
    const { from, kind, to } = passage;
    const { settings } = this;
    const { tally, scheduler } = this.#options;
    if (isCut(settings, from, to)) return tally.count('network: cut off');
    const rule = ruleFor(settings, passage);
    const roll = this.#dice(passage);
    if (rule !== undefined && roll(0) < rule.loss) return tally.count(`network: ${kind} of a kind lost`);
    if (settings.loss > 0 && roll(1) < settings.loss) return tally.count('network: lost');
    const copies = settings.duplication > 0 && roll(2) < settings.duplication ? 2 : 1;
    if (copies === 2) tally.count('network: doubled');
    for (let copy = 0; copy < copies; copy++) {
      const [least, most] = settings.delayMs;
      let delayMs = least + roll(3 + copy) * (most - least) + (rule?.extraMs ?? 0);
      if (rule !== undefined && rule.extraMs > 0) tally.count(`network: ${kind} of a kind delayed`);
      if (settings.late.chance > 0 && roll(5 + copy) < settings.late.chance) {
        delayMs += roll(7 + copy) * settings.late.mostMs;
        tally.count('network: late');
      }
      if (settings.inOrder) delayMs = this.#inOrder(from, to, delayMs);
      scheduler.after(delayMs, receiver, arrive);
    }
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
    this.#carry({ from: from.id, to: to.id, kind, round }, null, () => this.#arrived(to, from, frame));
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
      const { settings } = this;
      const cut = isCut(settings, life.node.id, other.id) || isCut(settings, other.id, life.node.id);
      if (cut && settings.cutsBreakLinks) this.#later(BREAK_MS, life, () => this.#breakIfCut(life, other));
      if (!cut) this.#later(REDIAL_MS + this.#delay(life.node.id, other.id), life, () => this.#connect(life, other));
    }
  }

  #connect(life: Life, other: SimulatedValidator): void {
    const theirs = other.life;
    if (theirs === null || life.up.has(other.id) || life.listener === null || theirs.listener === null) return;
    if (isCut(this.settings, life.node.id, other.id) || isCut(this.settings, other.id, life.node.id)) return;
    life.up.add(other.id);
    theirs.up.add(life.node.id);
    life.listener.onConnected(other.peerId);
    this.#later(0, theirs, () => theirs.listener?.onConnected(life.node.peerId));
  }

  #breakIfCut(life: Life, other: SimulatedValidator): void {
    const theirs = other.life;
    const { settings } = this;
    const cut = isCut(settings, life.node.id, other.id) || isCut(settings, other.id, life.node.id);
    if (theirs === null || !cut || !settings.cutsBreakLinks || !life.up.delete(other.id)) return;
    theirs.up.delete(life.node.id);
    this.#options.tally.count('network: link broken');
    life.listener?.onDisconnected(other.peerId);
    this.#later(0, theirs, () => theirs.listener?.onDisconnected(life.node.peerId));
  }

  #later(delayMs: number, owner: Owner, run: () => void): void {
    this.#options.scheduler.after(delayMs, owner, run);
  }

  #delay(from: number, to: number): number {
    return 1 + fractionOf(this.#options.seed, 77, from, to, this.#options.scheduler.steps) * 20;
  }

  #inOrder(from: number, to: number, delayMs: number): number {
    const link = from * 256 + to;
    const { nowMs } = this.#options.scheduler;
    const arrivalMs = Math.max(nowMs + delayMs, this.#lastArrivalMs.get(link) ?? 0);
    this.#lastArrivalMs.set(link, arrivalMs);
    return arrivalMs - nowMs;
  }

  #dice({ from, kind, round, to }: Passage): (use: number) => number {
    const place = FRAME_KINDS.indexOf(kind);
    const key = (from * 256 + to) * 16 + place;
    const count = (this.#counts.get(key) ?? 0) + 1;
    this.#counts.set(key, count);
    return (use) => fractionOf(this.#options.seed, key, round, count, use);
  }
}
