/** Performs the engine's fetches: asks the named servers in turn, admits what they answer, and tells the engine. */
import { CodedError, refuse, type Refusal, type Result } from '../base/result.ts';
import type { Input, ValidatorIndex, VerifiedSealedBlock } from '../consensus/engine.ts';
import type { AdmissionView } from '../hotstuff/admission.ts';
import type { AdmittedMessage } from '../hotstuff/messages.ts';
import type { BlockSyncClient } from '../net/block-sync.ts';
import type { PeerTarget } from '../net/host.ts';
import type { CollectOutcome } from '../qc/collect.ts';
import type { Admission } from './admit.ts';
import type { Turn } from './turn.ts';

export interface FetchingOptions {
  readonly client: Pick<BlockSyncClient, 'sealed' | 'blocks'>;
  readonly admission: Admission;
  readonly view: () => AdmissionView;
  readonly target: (validator: ValidatorIndex) => PeerTarget;
  readonly offer: (input: Input<AdmittedMessage, CollectOutcome>) => void;
  readonly onRefused: (from: ValidatorIndex, refusal: Refusal) => void;
}

const FETCH_DEADLINE_MS = 5_000;
/** Sealed blocks asked for at once: each seal costs a pairing of about 2 ms. */
export const SEALED_PER_REQUEST = 128;

type Fetch = Turn<never, never>['fetches'][number];

export class Fetching {
  readonly #options: FetchingOptions;

  constructor(options: FetchingOptions) {
    this.#options = options;
  }

  async perform({ request, what, from }: Fetch): Promise<void> {
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
    return { ok: true, value: undefined };
  }

  async #sealed(server: ValidatorIndex, fromHeight: number, request: number): Promise<Result<void>> {
    const { admission, client, offer, target } = this.#options;
    const blocks = await fetchSealed(client, admission, target(server), fromHeight);
    if (!blocks.ok) return blocks;
    offer({ kind: 'sealed', blocks: blocks.value, request });
    return { ok: true, value: undefined };
  }
}

/**
 * Sealed blocks from a height on, verified one by one; what came before a bad one is kept.
 * Refusals: `fetch-unserved` when the server has none, else those of the exchange and of the first block.
 */
export async function fetchSealed(
  client: Pick<BlockSyncClient, 'sealed'>,
  admission: Admission,
  server: PeerTarget,
  fromHeight: number,
): Promise<Result<readonly VerifiedSealedBlock[]>> {
  const encoded = await asked(
    client.sealed(server, fromHeight, { deadlineMs: FETCH_DEADLINE_MS, maxBlocks: SEALED_PER_REQUEST }),
  );
  if (!encoded.ok) return encoded;
  const checked = await Promise.all(encoded.value.map((bytes) => admission.sealedBlock(bytes, 'sync')));
  const blocks: VerifiedSealedBlock[] = [];
  for (const result of checked) {
    if (result.ok && result.value.block.header.height === fromHeight + blocks.length) blocks.push(result.value);
    else if (blocks.length > 0) break;
    else if (!result.ok) return result;
    else return refuse('fetch-answer-wrong', 'the server answered with other heights', { fromHeight });
  }
  if (blocks.length === 0) {
    return refuse('fetch-unserved', 'the server has no block from this height on', { fromHeight });
  }
  return { ok: true, value: blocks };
}

/** An exchange that failed is a refusal like any other: the next server is asked. */
export async function asked<T>(exchange: Promise<Result<T>>): Promise<Result<T>> {
  try {
    return await exchange;
  } catch (error) {
    if (error instanceof CodedError) return refuse(error.code, error.message, error.details);
    throw error;
  }
}
