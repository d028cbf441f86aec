/** The version in package.json: the build puts it in. */
declare const clipscopeVersion: string;
/** Whether the build has a model to draw pictures with: without it the menu leaves out the view of pictures. */
declare const clipscopeDraws: boolean;
/** Share of the picture model's pictures of which a judge found everything right that their captions said; null without a model. */
declare const clipscopeRight: number | null;
