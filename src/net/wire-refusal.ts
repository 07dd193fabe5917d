/** A refusal as it travels: its code, its message, and when to come back. The other numbers stay with who refused. */
import { mapped, nullable, struct, text, uint, type Shape } from '../base/codec.ts';
import type { Refusal } from '../base/result.ts';

interface WireRefusal {
  readonly code: string;
  readonly message: string;
  readonly retryAfterMs: number | null;
}

const wire = struct<WireRefusal>({ code: text(64), message: text(256), retryAfterMs: nullable(uint()) });

export const refusalShape: Shape<Refusal> = mapped(
  wire,
  ({ code, message, details }) => {
    const retryAfterMs = details['retryAfterMs'];
    return {
      code: code.slice(0, 64),
      message: message.slice(0, 256).toWellFormed(),
      retryAfterMs: typeof retryAfterMs === 'number' ? Math.max(0, Math.ceil(retryAfterMs)) : null,
    };
  },
  ({ code, message, retryAfterMs }) => ({ code, message, details: retryAfterMs === null ? {} : { retryAfterMs } }),
);
