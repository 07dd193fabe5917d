/**
 * How a message is written, for a cluster of one version or of several. All Go nodes read all of it; what they refuse or
 * misread is a matter of single fields. Decoding needs no dialect.
 */
export interface Dialect {
  /** Since 1.3.7 requests and responses name their sender; older versions pass over these fields. */
  readonly header: 'id-and-address' | 'none';
  /**
   * When the leader appended an entry. `portable`: as every version reads it, and left out where it is not known, which
   * reads as Go's zero time; 1.3 to 1.5 fail on the shorter forms that 1.6 sends. `kept`: as it came. `none`: left out.
   */
  readonly appendedAt: 'portable' | 'kept' | 'none';
  /** go-msgpack 2.x writes the size of a snapshot as a signed number, 0.5.5 as an unsigned one. Both read both. */
  readonly signedSize: boolean;
  /** Of responses; a request says its own. */
  readonly protocolVersion: 2 | 3;
  /** Versions before 1.7 answer a pre-vote by closing the connection. False: it is taken as closed without being sent. */
  readonly preVote: boolean;
}

/** Suits every version from 1.0 to 1.7 at the same time. */
export const DEFAULT_DIALECT: Dialect = {
  header: 'id-and-address',
  appendedAt: 'portable',
  signedSize: false,
  protocolVersion: 3,
  preVote: true,
};
