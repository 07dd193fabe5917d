/** From the submission protocol's two forms to `Submissions`, and its answers back. */
import { refuse, type Result } from '../base/result.ts';
import { decodeSignedEvent, signedEventFromJson, type SignedEvent } from '../ledger/event.ts';
import { SubmissionServer } from '../net/submission-server.ts';
import type { Submission, SubmissionAnswer } from '../net/submission-wire.ts';
import type { NetworkedCore } from './core.ts';
import { allInParts } from './in-parts.ts';
import type { Acknowledged, Submissions } from './submissions.ts';

/** Decoding one event costs about 50 us. */
const DECODED_IN_ONE_GO = 32;

/** @returns how to close it */
export async function startSubmissionServer(
  core: Pick<NetworkedCore, 'config' | 'host' | 'log'> & {
    readonly context: Pick<NetworkedCore['context'], 'chainId'>;
  },
  submissions: Submissions,
): Promise<() => Promise<void>> {
  const { config, context, host, log } = core;
  const { eventsPerSecond, eventsPerSecondPerPeer, waitingEvents } = config.submission;
  const server = new SubmissionServer({
    host,
    handler: (remotePeer, submission) => answersTo(context.chainId, remotePeer, submission, submissions),
    limits: {
      maxEvents: waitingEvents,
      events: { perPeerPerSecond: eventsPerSecondPerPeer, inAllPerSecond: eventsPerSecond },
    },
    onRefused: (protocol, peer, refusal) => {
      log.debug({ protocol, peer, refusal }, 'submission refused');
    },
  });
  await server.start();
  return () => server.stop();
}

/** One answer an event. */
export async function answersTo(
  chainId: string,
  remotePeer: string,
  submission: Submission,
  submissions: Pick<Submissions, 'submit'>,
): Promise<readonly SubmissionAnswer[]> {
  if (submission.kind === 'json') {
    const event = directEvent(signedEventFromJson(chainId, submission.value), remotePeer);
    return [answerOf(event.ok ? await submissions.submit(event.value) : event)];
  }
  return allInParts(submission.events, DECODED_IN_ONE_GO, async (bytes) => {
    const event = decodeSignedEvent(chainId, bytes);
    return answerOf(event.ok ? await submissions.submit(event.value, submission.acknowledge) : event);
  });
}

/** A direct submission speaks for the peer that makes it; batches may be relayed, their events speak for themselves. */
function directEvent(event: Result<SignedEvent>, remotePeer: string): Result<SignedEvent> {
  if (!event.ok || event.value.event.peerId === remotePeer) return event;
  return refuse('peer-mismatch', 'a node submits its own data: the event is of another peer than the connection', {
    eventPeerId: event.value.event.peerId,
    remotePeer,
  });
}

function answerOf(answer: Result<Acknowledged>): SubmissionAnswer {
  return answer.ok
    ? { kind: 'acknowledged', height: answer.value.height }
    : { kind: 'refused', refusal: answer.refusal };
}
