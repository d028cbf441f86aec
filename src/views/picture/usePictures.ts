import { createContext, use, useMemo } from 'react';
import { useStore } from 'zustand';
import { useShallow } from 'zustand/react/shallow';
import {
  isSame,
  type PictureActions,
  type PictureFacts,
  type PictureLab,
  studySource,
} from '../../state/picture/pictureStore.ts';
import type { StudyName, StudyTake } from '../../state/picture/pictureStudies.ts';
import type { DrawnPicture } from '../../worker/pictures/pictureMessages.ts';

export const PicturesContext = createContext<PictureLab | null>(null);

/** Returns what `select` finds in the panel's state. It must return the same object for the same facts. */
export function usePictures<T>(select: (facts: PictureFacts & PictureActions) => T): T {
  const lab = use(PicturesContext);
  if (!lab) throw new Error('The pictures are used outside PicturesContext.');
  return useStore(lab, select);
}

/** A take of a study with the picture that is there of it. */
export interface ShownTake extends StudyTake {
  /** Undefined until it is drawn; null where it cannot be. */
  readonly picture: DrawnPicture | null | undefined;
  /** Whether the picture is still one of other facts. */
  readonly isStale: boolean;
}

/** The takes of a study; null before there are any. */
export function useStudy(name: StudyName): readonly ShownTake[] | null {
  const study = usePictures((s) => s.studies[name]);
  const source = usePictures(useShallow((s) => studySource(s, name)));
  return useMemo(() => {
    if (!study) return null;
    return study.takes.map((take, i) => {
      const one = study.pictures[i];
      return { ...take, picture: one?.picture, isStale: one !== undefined && !isSame(one.drawnFrom, source) };
    });
  }, [study, source]);
}
