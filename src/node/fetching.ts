/** Performs the engine's fetches: asks the named servers in turn, admits what they answer, and tells the engine. */
import { ok, refuse, type Refusal, type Result } from '../base/result.ts';
import type { Input, ValidatorIndex } from '../consensus/engine.ts';
import type { AdmissionView } from '../hotstuff/admission.ts';
import type { AdmittedMessage } from '../hotstuff/messages.ts';
import type { BlockSyncClient } from '../net/block-sync.ts';
import type { PeerTarget } from '../net/host.ts';
import type { CollectOutcome } from '../qc/collect.ts';
import type { Admission } from './admit.ts';
import { asked } from './asked.ts';
import { askForSealed, FETCH_DEADLINE_MS } from './sealed-blocks.ts';
import type { Turn } from './turn.ts';
import { UnderWay } from './under-way.ts';

export type FetchAnswer = Extract<
  Input<AdmittedMessage, CollectOutcome>,
  { readonly kind: 'sealed' | 'fetched' | 'fetchFailed' }
>;

export interface FetchingOptions {
  readonly client: Pick<BlockSyncClient, 'sealed' | 'blocks'>;
  readonly admission: Admission;
  readonly view: () => AdmissionView;
  readonly target: (validator: ValidatorIndex) => PeerTarget;
  readonly offer: (answer: FetchAnswer) => void;
  readonly onRefused: (from: ValidatorIndex, refusal: Refusal) => void;
}

/**
 * Fetches under way, those that are no longer wanted among them: while blocks come faster than a silent server's
 * deadline ends, each is one more.
 */
const MAX_UNDER_WAY = 64;

type Fetch = Turn<never, never>['fetches'][number];

export class Fetching {
  readonly #options: FetchingOptions;
  readonly #underWay = new UnderWay(MAX_UNDER_WAY, FETCH_DEADLINE_MS);

  constructor(options: FetchingOptions) {
    this.#options = options;
  }

  /** Refusals that the engine is told: those of the exchange and of admission, `fetch-unserved`, `fetch-busy`. */
  async perform(fetch: Fetch): Promise<void> {
    const leave = this.#underWay.enter();
    if (leave === undefined) {
      const { refusal } = refuse('fetch-busy', 'too many fetches are under way', { underWay: this.#underWay.count });
      this.#options.offer({ kind: 'fetchFailed', request: fetch.request, refusal });
      return;
    }
    try {
      await this.#ask(fetch);
    } finally {
      leave();
    }
  }

  async #ask({ request, what, from }: Fetch): Promise<void> {
    let last: Refusal = { code: 'fetch-unserved', message: 'nobody was there to ask', details: {} };
    for (const server of from) {
      const answer =
        what.kind === 'blocks'
          ? await this.#blocks(server, what.ids, request)
          : await this.#sealed(server, what.fromHeight, request);
      if (answer.ok) return;
      last = answer.refusal;
      this.#options.onRefused(server, last);
    }
    this.#options.offer({ kind: 'fetchFailed', request, refusal: last });
  }

  async #blocks(
    server: ValidatorIndex,
    ids: Parameters<BlockSyncClient['blocks']>[1],
    request: number,
  ): Promise<Result<void>> {
    const { admission, client, offer, target, view } = this.#options;
    const stored = await asked(client.blocks(target(server), ids, { deadlineMs: FETCH_DEADLINE_MS }));
    if (!stored.ok) return stored;
    if (stored.value.length === 0) return refuse('fetch-unserved', 'the server does not hold the block', { server });
    const message = await admission.fetchedBlocks(server, stored.value, view());
    if (!message.ok) return message;
    offer({ kind: 'fetched', request, message: message.value });
    return ok(undefined);
  }

  async #sealed(server: ValidatorIndex, fromHeight: number, request: number): Promise<Result<void>> {
    const { admission, client, offer, target } = this.#options;
    const answer = await askForSealed({ client, admission, from: target(server), fromHeight });
    if (!answer.ok) return answer;
    offer({ kind: 'sealed', blocks: answer.value, request });
    return ok(undefined);
  }
}
