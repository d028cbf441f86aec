/**
 * fast-check for the project's tests, with a seed that stays: a commit passes on every machine or on none. To look further, run
 * `PROPERTY_SEED=2 npm run test:unit` with any whole number.
 */

import fc from 'fast-check';

fc.configureGlobal({ seed: Number(process.env.PROPERTY_SEED ?? 1) });

export default fc;
