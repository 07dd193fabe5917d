/**
 * A validator's links to the other validators: in production one stream each over the host. A simulation gives links of
 * its own, and drives the same validator.
 */
import type { Refusal } from '../base/result.ts';
import { DEFAULT_OUTBOX_BOUNDS, type FrameClass } from '../net/outbox.ts';
import { ValidatorStreams } from '../net/validator-streams.ts';
import type { NetworkedCore } from './core.ts';

export interface LinkListener {
  /** The link has proved who the peer is: a validator of the set. */
  readonly onFrame: (peerId: string, frame: Uint8Array) => void;
  readonly onConnected: (peerId: string) => void;
  readonly onDisconnected: (peerId: string) => void;
  readonly onRefused: (peerId: string, refusal: Refusal) => void;
}

export interface ValidatorLinks {
  start(): Promise<void>;
  /** @returns false when the frame was dropped */
  send(peerId: string, frame: Uint8Array, klass: FrameClass): boolean;
  /** Peers whose link is up. */
  connected(): readonly string[];
  stop(): Promise<void>;
}

export type OpenLinks = (listener: LinkListener) => ValidatorLinks;

export function streamLinks({ addresses, config, context, host }: NetworkedCore): OpenLinks {
  const { consensus } = DEFAULT_OUTBOX_BOUNDS;
  return (listener) =>
    new ValidatorStreams({
      host,
      validators: context.validators.members.map(({ peerId }) => ({
        peerId,
        multiaddrs: () => addresses.of(peerId),
      })),
      ...listener,
      bounds: { ...DEFAULT_OUTBOX_BOUNDS, consensus: { ...consensus, maxBytes: config.limits.outboxBytes } },
    });
}
