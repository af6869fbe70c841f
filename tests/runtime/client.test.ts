/** The client on the runtime that runs this file: dialects, repeats, deadlines, and the parity with TRL's. */
import "../unit/client-dialects.test.ts";
import "../unit/client-retries.test.ts";
import "../unit/client-trl-parity.test.ts";
