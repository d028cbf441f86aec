import { clipUsage, trainClip } from './trainClip.ts';
import { UsageError } from './trainingSession.ts';
import { picturesUsage, trainPictures } from './trainPictures.ts';

const trainings: Readonly<Record<string, (args: readonly string[]) => Promise<number>>> = {
  clip: trainClip,
  pictures: trainPictures,
};

/** Returns the exit code of `npm run train`. */
export async function main(args: readonly string[]): Promise<number> {
  try {
    const [what = '', ...rest] = args;
    if (what === '--help') {
      console.log(`${clipUsage}\n${picturesUsage}`);
      return 0;
    }
    const training = trainings[what];
    if (!training)
      throw new UsageError(`It can train ${Object.keys(trainings).join(' or ')}, not "${what}"; see --help.`);
    return await training(rest);
  } catch (error) {
    console.error((error as Error).message);
    return 1;
  }
}
