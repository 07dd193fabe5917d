/** Dials one peer, and after a failure waits before it dials again: who asks meanwhile is told at once that it is away. */
import { CodedError, codedError, type Refusal } from '../../base/result.ts';
import type { ByteConnection, ByteStreams } from '../../net/byte-streams.ts';
import type { ServerAddress } from '../../raft/messages.ts';
import type { ClientLimits } from './transport.ts';

export class Dialler {
  readonly #streams: ByteStreams;
  readonly #address: ServerAddress;
  readonly #limits: ClientLimits;
  #failures = 0;
  #notBeforeMs = 0;
  #lastRefusal: Refusal = { code: 'dial-failed', message: 'the peer could not be reached', details: {} };

  constructor(streams: ByteStreams, address: ServerAddress, limits: ClientLimits) {
    this.#streams = streams;
    this.#address = address;
    this.#limits = limits;
  }

  /**
   * @param deadlineAtMs of the call that it is for, by `performance.now()`
   * @throws CodedError
   */
  async dial(deadlineAtMs: number): Promise<ByteConnection> {
    const leftMs = Math.max(1, deadlineAtMs - performance.now());
    try {
      return await this.#streams.dial(this.#address, Math.min(leftMs, this.#limits.dialDeadlineMs));
    } catch (error) {
      const refused =
        error instanceof CodedError
          ? error
          : codedError('dial-failed', 'the peer could not be reached', { address: this.#address }, { cause: error });
      this.failed(refused);
      throw refused;
    }
  }

  /** Why it is not dialled now, or undefined when it may be. */
  get waiting(): Refusal | undefined {
    return performance.now() < this.#notBeforeMs ? this.#lastRefusal : undefined;
  }

  /** A dial failed, or a connection was closed before it gave one answer. */
  failed(refusal: Refusal): void {
    const { redialMinMs, redialMaxMs } = this.#limits;
    const ceiling = Math.min(redialMaxMs, redialMinMs * 2 ** Math.min(this.#failures, 16));
    this.#failures++;
    this.#lastRefusal = refusal;
    this.#notBeforeMs = performance.now() + ceiling * (0.5 + Math.random() / 2);
  }

  /** The peer answered. */
  succeeded(): void {
    this.#failures = 0;
    this.#notBeforeMs = 0;
  }
}
