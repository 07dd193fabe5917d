/**
 * Joining: from nothing to a state that a quorum sealed. All servers say what they offer; the best snapshot is chosen; its
 * manifest proves it against the genesis; its chunks come from all who have it, side by side, and each is checked as it
 * comes. Who sends what is false is asked no more. Who is silent, slow or gone is asked later, and others instead.
 *
 *     asking --choice--> manifest --it holds--> chunks --all are durable--> a snapshot to begin from
 *        |  <--nobody has it any more-- |  <---------'
 *        '--nobody has any, or nobody answers--> genesis
 *
 * A node whose ledger ends below the oldest block that others have joins too, and never begins at genesis: it takes a
 * snapshot that is newer, or goes on with what it has where somebody has the next block after all.
 */
import { refuse, type Refusal } from '../base/result.ts';
import { isSameSnapshot, type SnapshotName, type SnapshotOffer } from '../ledger/snapshot-offer.ts';
import { ForwardClock } from './forward-clock.ts';
import { chooseSnapshot, claimedHead, isServedFrom, isServedFromGenesis, offersAbove } from './join-choice.ts';
import { JoinChunks } from './join-chunks.ts';
import type {
  JoinEffect,
  JoinInput,
  JoinOutcome,
  JoinQuestion,
  JoinStatus,
  KeptSnapshot,
  ServerId,
  SnapshotChecks,
} from './join-contract.ts';
import { JoinPatience } from './join-patience.ts';
import { JoinServers, type Server } from './join-servers.ts';

export interface JoiningOptions {
  readonly checks: SnapshotChecks;
  /** From an earlier run; null where there is nothing. */
  readonly started: KeptSnapshot | null;
  /** How long it is waited for somebody to answer before the chain is begun at genesis. */
  readonly patienceMs: number;
  /** Of the ledger that the node has and cannot go on with; null where there is none. */
  readonly ownHeight: number | null;
}

const OFFER_DEADLINE_MS = 3_000;
const MANIFEST_DEADLINE_MS = 10_000;
const CHUNK_DEADLINE_MS = 15_000;
/** After the first offer, the others have this long. */
const SETTLE_MS = 2_000;
/** Without a new chunk for so long, everybody is asked anew what they have. */
const STUCK_MS = 30_000;
/** Where nobody has what is needed, everybody is asked again after this. */
const ASK_AGAIN_MS = 5_000;
/** Rounds in which every snapshot was offered in vain, before the chain is begun at genesis where that is possible. */
const MAX_VAIN_ROUNDS = 3;
/** Snapshots set aside in one round. */
const MAX_SET_ASIDE = 64;

interface Request {
  readonly server: Server;
  readonly what: JoinQuestion;
  readonly untilMs: number;
}

export class Joining {
  readonly #options: JoiningOptions;
  readonly #clock = new ForwardClock();
  readonly #servers = new JoinServers();
  readonly #requests = new Map<number, Request>();
  #effects: JoinEffect[] = [];
  #lastRequest = 0;
  #phase: JoinStatus['phase'] = 'asking';
  /** The snapshot that was chosen. */
  #chosen: SnapshotName | null = null;
  /** Of the snapshot whose manifest is kept. */
  #chunks: JoinChunks | null = null;
  #started: SnapshotName | null;
  /** Offered, and not given, in this round. */
  #setAside: SnapshotName[] = [];
  /** Asked in vain for the manifest of the chosen one. */
  readonly #triedForManifest = new Set<string>();
  #vainRounds = 0;
  readonly #patience: JoinPatience;
  #firstOfferMs: number | null = null;
  /** Of this round of asking. */
  #askedSinceMs = 0;
  #progressMs = 0;
  #bytes = 0;
  #stuck: Refusal | null = null;

  constructor(options: JoiningOptions) {
    this.#options = options;
    this.#patience = new JoinPatience(options.patienceMs);
    this.#started = options.started?.of ?? null;
    if (options.started !== null) this.#chunks = new JoinChunks(2 ** options.started.of.depth, options.started.kept);
  }

  step(input: JoinInput, nowMs: number): readonly JoinEffect[] {
    this.#clock.observe(nowMs);
    this.#effects = [];
    if (this.#phase !== 'ended') {
      this.#take(input);
      this.#giveUpLate();
      this.#advance();
    }
    return this.#effects;
  }

  status(): JoinStatus {
    const elapsedMs = Math.max(1, this.#clock.elapsedMs);
    return {
      phase: this.#phase,
      height: (this.#chosen ?? this.#started)?.height ?? null,
      chunksKept: this.#chunks?.keptCount ?? 0,
      chunks: this.#chunks?.count ?? 0,
      bytes: this.#bytes,
      bytesPerSecond: Math.round((this.#bytes * 1000) / elapsedMs),
      headHeight: claimedHead(this.#servers.offers()),
      servers: this.#servers.status(),
      stuckBecause: this.#stuck?.code ?? null,
    };
  }

  #take(input: JoinInput): void {
    switch (input.kind) {
      case 'tick':
        return;
      case 'known':
        return this.#servers.know(input.servers);
      case 'kept':
        if (this.#started !== null && isSameSnapshot(input.of, this.#started)) this.#chunks?.settled(input.index);
        return;
      case 'failed':
        return this.#end(input.request, ({ server, what }) => this.#failed(server, what, input.refusal));
      case 'offered':
        return this.#end(input.request, ({ server }) => this.#offered(server, input.offer));
      case 'answered':
        return this.#end(input.request, ({ server, what }) => {
          if (what.kind === 'manifest') this.#manifest(server, what.of, input.bytes);
          if (what.kind === 'chunk') this.#chunk(server, what, input.bytes);
        });
    }
  }

  /** A request that is unknown was given up before: its answer is worth nothing. */
  #end(request: number, then: (request: Request) => void): void {
    const ended = this.#requests.get(request);
    if (ended === undefined) return;
    this.#requests.delete(request);
    ended.server.underWay--;
    then(ended);
  }

  #giveUpLate(): void {
    for (const [request, { what, untilMs }] of this.#requests) {
      if (untilMs > this.#now) continue;
      const { refusal } = refuse('deadline-passed', 'the server took too long', { asked: what.kind });
      this.#end(request, ({ server }) => this.#failed(server, what, refusal));
    }
  }

  #offered(server: Server, offer: SnapshotOffer): void {
    server.offer = offer;
    server.isHeard = true;
    server.failuresInARow = 0;
    this.#firstOfferMs ??= this.#now;
    this.#patience.offered(offer);
  }

  #manifest(server: Server, of: SnapshotName, bytes: Uint8Array): void {
    if (this.#phase !== 'manifest' || this.#chosen === null || !isSameSnapshot(of, this.#chosen)) return;
    const checked = this.#options.checks.manifest(of, bytes);
    if (!checked.ok) return this.#drop(server, checked.refusal);
    this.#effects.push({ kind: 'begin', of, manifest: bytes });
    this.#started = of;
    this.#chunks = new JoinChunks(2 ** of.depth, []);
    this.#fetchChunks();
  }

  #chunk(server: Server, what: Extract<JoinQuestion, { kind: 'chunk' }>, bytes: Uint8Array): void {
    const { index, of } = what;
    if (this.#chunks === null || this.#started === null || !isSameSnapshot(of, this.#started)) return;
    if (!this.#chunks.isWanted(index)) return this.#servers.helped(server, 0);
    const checked = this.#options.checks.chunk(of, index, bytes);
    if (!checked.ok) {
      this.#chunks.failed(index, server.id);
      return this.#drop(server, checked.refusal);
    }
    this.#servers.helped(server, bytes.length);
    this.#chunks.arrived(index);
    this.#bytes += bytes.length;
    this.#progressMs = this.#now;
    this.#effects.push({ kind: 'keep', of, index, bytes });
  }

  #failed(server: Server, what: JoinQuestion, refusal: Refusal): void {
    this.#release(server, what);
    server.isHeard = true;
    this.#patience.failed(refusal);
    const fault = this.#servers.failed(server, refusal, what.kind === 'offer' ? null : what.of, this.#now);
    if (fault === 'lie') return this.#drop(server, refusal);
    if (what.kind === 'manifest' && fault !== 'busy') this.#triedForManifest.add(server.id);
    this.#effects.push({ kind: 'failed', server: server.id, what, refusal });
  }

  #drop(server: Server, refusal: Refusal): void {
    server.dropped = refusal;
    for (const [request, { server: asked, what }] of this.#requests) {
      if (asked !== server) continue;
      this.#requests.delete(request);
      this.#release(server, what);
    }
    this.#effects.push({ kind: 'dropped', server: server.id, refusal });
  }

  /** What this server was asked for, others may be asked for. */
  #release(server: Server, what: JoinQuestion): void {
    if (what.kind !== 'chunk' || this.#started === null || !isSameSnapshot(what.of, this.#started)) return;
    this.#chunks?.failed(what.index, server.id);
  }

  #advance(): void {
    if (this.#started !== null && this.#chunks?.isComplete === true) {
      return this.#finish({ kind: 'snapshot', of: this.#started });
    }
    this.#askForOffers();
    if (this.#phase === 'asking') this.#decide();
    if (this.#phase === 'manifest') this.#askForManifest();
    if (this.#phase === 'chunks') this.#askForChunks();
  }

  /** Also while chunks come: a server that is back, or that became known, may have them too. */
  #askForOffers(): void {
    for (const server of this.#servers.standing()) {
      if (server.offer !== null || server.underWay > 0 || this.#now < server.restUntilMs) continue;
      this.#ask(server, { kind: 'offer' }, patient(OFFER_DEADLINE_MS, server));
    }
  }

  #decide(): void {
    const standing = this.#servers.standing();
    const allHeard = standing.every(({ isHeard }) => isHeard);
    const offers = this.#servers.offers();
    if (offers.size === 0) return this.#decideAlone(allHeard);
    if (!allHeard && this.#now < (this.#firstOfferMs ?? this.#now) + SETTLE_MS) return;
    const { ownHeight } = this.#options;
    const chosen = chooseSnapshot(offersAbove(this.#withoutSetAside(offers), ownHeight ?? 0), this.#started);
    if (chosen !== null) return this.#choose(chosen);
    // One that answers fast is not believed to have the blocks while another may be about to offer a snapshot.
    if (!allHeard) return;
    const isInVain = this.#setAside.length > 0;
    if (ownHeight !== null) return this.#decideBehind(isServedFrom(offers, ownHeight));
    if (isServedFromGenesis(offers) && (!isInVain || this.#vainRounds >= MAX_VAIN_ROUNDS)) {
      return this.#finish({ kind: 'genesis', because: isInVain ? 'snapshots-not-given' : 'no-snapshots' });
    }
    this.#unserved('nobody serves a snapshot, or the blocks from genesis on');
  }

  /** A snapshot that was offered and not given is asked for again, before anybody is believed to have the blocks. */
  #decideBehind(isServed: boolean): void {
    if (isServed && (this.#setAside.length === 0 || this.#vainRounds >= MAX_VAIN_ROUNDS)) {
      return this.#finish({ kind: 'own-ledger' });
    }
    this.#unserved('nobody serves a newer snapshot, or the blocks behind the ledger of this node');
  }

  #unserved(message: string): void {
    this.#stuck = refuse('join-unserved', message).refusal;
    if (this.#now >= this.#askedSinceMs + ASK_AGAIN_MS) this.#beginRound();
  }

  #withoutSetAside(offers: ReadonlyMap<ServerId, SnapshotOffer>): ReadonlyMap<ServerId, SnapshotOffer> {
    const isSetAside = (of: SnapshotName): boolean => this.#setAside.some((each) => isSameSnapshot(each, of));
    return new Map(
      Array.from(offers, ([id, offer]) => [
        id,
        { ...offer, snapshots: offer.snapshots.filter((snapshot) => !isSetAside(snapshot)) },
      ]),
    );
  }

  #decideAlone(allHeard: boolean): void {
    if (!allHeard) return;
    const mayBegin = this.#started === null && this.#options.ownHeight === null;
    if (mayBegin && this.#now >= this.#askedSinceMs + this.#patience.ms) {
      return this.#finish({ kind: 'genesis', because: 'nobody-answers' });
    }
    this.#stuck = refuse('join-unanswered', 'no server answers').refusal;
  }

  /** Everybody is asked again what they have. */
  #beginRound(): void {
    if (this.#setAside.length > 0) this.#vainRounds++;
    this.#setAside = [];
    this.#servers.forgetOffers();
    this.#firstOfferMs = null;
    this.#askedSinceMs = this.#now;
    this.#chooseAnew();
  }

  #chooseAnew(): void {
    this.#phase = 'asking';
    this.#chosen = null;
    this.#triedForManifest.clear();
  }

  /** It was offered, and nobody gives it: others come first. */
  #giveUp(of: SnapshotName): void {
    this.#stuck = refuse('join-unserved', 'nobody gives the snapshot that was offered', { height: of.height }).refusal;
    if (this.#setAside.length < MAX_SET_ASIDE) this.#setAside.push(of);
    this.#chooseAnew();
  }

  #choose(chosen: SnapshotName): void {
    this.#stuck = null;
    this.#chosen = chosen;
    this.#progressMs = this.#now;
    if (this.#started !== null && isSameSnapshot(chosen, this.#started)) this.#fetchChunks();
    else this.#phase = 'manifest';
  }

  #fetchChunks(): void {
    this.#phase = 'chunks';
    this.#progressMs = this.#now;
  }

  /** Of one server at a time: it is small, and each may prove it. */
  #askForManifest(): void {
    const of = this.#chosen;
    if (of === null) return;
    for (const { what } of this.#requests.values()) if (what.kind === 'manifest' && isSameSnapshot(what.of, of)) return;
    const holders = this.#servers.holdersOf(of).filter(({ id }) => !this.#triedForManifest.has(id));
    if (holders.length === 0) return this.#giveUp(of);
    const ready = holders.find(({ restUntilMs }) => this.#now >= restUntilMs);
    if (ready !== undefined) this.#ask(ready, { kind: 'manifest', of }, patient(MANIFEST_DEADLINE_MS, ready));
  }

  #askForChunks(): void {
    const of = this.#started;
    if (of === null || this.#chunks === null) return;
    const holders = this.#servers.holdersOf(of);
    const isUnderWay = [...this.#requests.values()].some(({ what }) => what.kind === 'chunk');
    if (holders.length === 0 && !isUnderWay) return this.#giveUp(of);
    if (this.#now >= this.#progressMs + STUCK_MS) return this.#giveUp(of);
    this.#stuck = null;
    for (let asked = true; asked;) {
      asked = false;
      // One each in turn, so that all servers share the work.
      for (const server of holders) asked = this.#askForOne(server, of, this.#chunks) || asked;
    }
  }

  #askForOne(server: Server, of: SnapshotName, chunks: JoinChunks): boolean {
    if (server.underWay >= server.window || this.#now < server.restUntilMs) return false;
    const index = chunks.take(server.id, this.#now);
    if (index === undefined) return false;
    this.#ask(server, { kind: 'chunk', of, index }, patient(CHUNK_DEADLINE_MS, server));
    return true;
  }

  #ask(server: Server, what: JoinQuestion, deadlineMs: number): void {
    const request = ++this.#lastRequest;
    server.underWay++;
    this.#requests.set(request, { server, what, untilMs: this.#now + deadlineMs });
    this.#effects.push({ kind: 'ask', request, server: server.id, what, deadlineMs });
  }

  #finish(outcome: JoinOutcome): void {
    this.#phase = 'ended';
    this.#effects.push({ kind: 'end', outcome });
  }

  get #now(): number {
    return this.#clock.elapsedMs;
  }
}

/** A server that did not keep its time has more of it the next time. */
function patient(deadlineMs: number, { failuresInARow }: Server): number {
  return deadlineMs * 2 ** Math.min(failuresInARow, 2);
}
