// In the place of the theme's 1.5 MB of icon drawings: its stylesheet and fonts draw the same icons.
