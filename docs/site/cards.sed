# The cards of the headers for Doxygen: "/// Shapes    w, c: [g]" begins a paragraph of its own.
s@^( *)///( ?)([A-Z][A-Za-z_ ]{1,10}[A-Za-z])  +([^ ].*)$@\1///\n\1/// <b>\3</b> \&ensp; \4@
