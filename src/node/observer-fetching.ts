/**
 * Performs a follower's fetches: asks servers in turn until one gives the next blocks. Where there are many, those behind
 * them are fetched and verified from other servers while these are executed.
 */
import { refuse, type Refusal } from '../base/result.ts';
import type { Input, VerifiedSealedBlock } from '../consensus/engine.ts';
import type { BlockServer, BlockServers } from './block-servers.ts';
import {
  askForSealed,
  FETCH_DEADLINE_MS,
  SEALED_PER_REQUEST,
  type SealedAnswer,
  type SealedQuestion,
} from './sealed-blocks.ts';
import { UnderWay } from './under-way.ts';

export interface ObserverFetchingOptions extends Pick<SealedQuestion, 'admission' | 'client'> {
  readonly servers: BlockServers;
  /** Of servers that one fetch asks, one after the other. */
  readonly tries: number;
  readonly offer: (answer: Extract<Input<never, never>, { readonly kind: 'sealed' | 'fetchFailed' }>) => void;
  readonly onRefused: (from: BlockServer, refusal: Refusal, isFalse: boolean) => void;
}

/** Answers that wait for their turn, each of at most `SEALED_PER_REQUEST` blocks and of a few MiB. */
const MAX_AHEAD = 2;
/** Whoever gives so many at once has more. */
const MANY_BLOCKS = 32;
/** As the follower gives a request up before its servers have all been asked. */
const MAX_UNDER_WAY = 16;

export class ObserverFetching {
  readonly #options: ObserverFetchingOptions;
  readonly #underWay = new UnderWay(MAX_UNDER_WAY, FETCH_DEADLINE_MS);
  /** By their first heights. */
  readonly #ahead = new Map<number, Promise<readonly VerifiedSealedBlock[]>>();

  constructor(options: ObserverFetchingOptions) {
    this.#options = options;
  }

  /** Refusals that the engine is told: those of `askForSealed`, `fetch-unserved`, `fetch-busy`. */
  async perform(request: number, fromHeight: number): Promise<void> {
    const { offer } = this.#options;
    const leave = this.#underWay.enter();
    if (leave === undefined) {
      const { refusal } = refuse('fetch-busy', 'too many fetches are under way', { underWay: this.#underWay.count });
      return offer({ kind: 'fetchFailed', request, refusal });
    }
    try {
      const answer = await this.#blocks(fromHeight);
      if (!answer.ok) return offer({ kind: 'fetchFailed', request, refusal: answer.refusal });
      this.#readAhead(fromHeight + answer.value.length, answer.value.length);
      offer({ kind: 'sealed', blocks: answer.value, request });
    } finally {
      leave();
    }
  }

  async #blocks(fromHeight: number): Promise<SealedAnswer> {
    const ready = this.#ahead.get(fromHeight);
    for (const height of this.#ahead.keys()) if (height <= fromHeight) this.#ahead.delete(height);
    const blocks = (await ready) ?? [];
    return blocks.length > 0 ? { ok: true, value: blocks } : this.#fromAnybody(fromHeight);
  }

  async #fromAnybody(fromHeight: number): Promise<SealedAnswer> {
    const { servers, tries } = this.#options;
    const { refusal } = refuse('fetch-unserved', 'nobody was there to ask', { fromHeight });
    let failed: SealedAnswer = { ok: false, refusal, isFalse: false };
    let isHead = false;
    for (const server of servers.next(tries)) {
      const answer = await this.#fromOne(server, fromHeight);
      if (answer.ok) return answer;
      // Whoever answers that it has no later block says more than those that do not answer.
      if (!isHead) failed = answer;
      isHead ||= answer.refusal.code === 'fetch-unserved';
    }
    return failed;
  }

  async #fromOne(server: BlockServer, fromHeight: number): Promise<SealedAnswer> {
    const { admission, client, onRefused, servers } = this.#options;
    const maxBlocks = Math.min(
      SEALED_PER_REQUEST,
      ...[...this.#ahead.keys()].map((height) => height - fromHeight).filter((gap) => gap > 0),
    );
    const answer = await askForSealed({ client, admission, from: server, fromHeight, maxBlocks });
    if (answer.ok) servers.served(server);
    else {
      const { isFalse, refusal } = answer;
      if (isFalse) servers.lied(server);
      // Whoever has no later block says that this is the head, and that is no failure.
      else if (refusal.code !== 'fetch-unserved') servers.failed(server);
      onRefused(server, refusal, isFalse);
    }
    return answer;
  }

  /** Of one server each: what does not come is asked for when its turn comes. */
  #readAhead(fromHeight: number, came: number): void {
    if (came < MANY_BLOCKS && !this.#ahead.has(fromHeight)) return;
    for (let height = fromHeight; this.#ahead.size < MAX_AHEAD; height += SEALED_PER_REQUEST) {
      if (this.#ahead.has(height)) continue;
      const [server] = this.#options.servers.next(1);
      if (server === undefined) return;
      const blocks = this.#fromOne(server, height).then((answer) => (answer.ok ? answer.value : []));
      // Whoever waits for them hears of it; nobody may.
      blocks.catch(() => undefined);
      this.#ahead.set(height, blocks);
    }
  }
}
